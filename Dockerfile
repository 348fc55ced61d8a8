# shale-server on a minimal Debian: docker run -v shale-data:/data -p 127.0.0.1:6379:6379 shale [--option value ...]

FROM debian:bookworm-slim AS builder
WORKDIR /source
# The packages first, in a layer of their own: a change of the sources does not install them again.
COPY scripts/install-dependencies scripts/
RUN scripts/install-dependencies build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DSHALE_TESTS=OFF -DSHALE_BENCH=OFF \
    && cmake --build --preset release --target shale-server \
    && strip -o /shale-server build/release/shale-server

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libboost-program-options1.81.0 libfmt9 libjemalloc2 liblz4-1 libspdlog1.10 libssl3 libxxhash0 libzstd1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 shale \
    && useradd --uid 1000 --gid shale --no-create-home --home-dir /data --shell /usr/sbin/nologin shale \
    && install -d -o shale -g shale -m 0750 /data
COPY --from=builder /shale-server /usr/local/bin/shale-server
# The build fails here, and not the first start, if a library of the list above is missing.
RUN shale-server --version

USER shale
WORKDIR /data
VOLUME /data
EXPOSE 6379
# Reachable from outside the container, as redis's own image is: who may connect is decided by the ports you publish,
# and by requirepass. A variable may be set anew by -e, and an argument of the same name wins over it.
ENV SHALE_DIR=/data \
    SHALE_BIND="* -::*" \
    SHALE_PROTECTED_MODE=no
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["shale-server", "--health-check"]
ENTRYPOINT ["shale-server"]
