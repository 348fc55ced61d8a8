"""What the Python programs in bench/ share: a small RESP client, a server under test, what /proc says about it."""

import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHALE = ROOT / "build/release/shale-server"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Ends a program with its message and exit code 1."""


class ErrorReply(BenchError):
    """The server's answer was an error."""


class Client:
    """A blocking RESP2 connection. Requests may be pipelined: send() any bytes, then read as many replies."""

    def __init__(self, port, timeout_s=60):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb", 1 << 18)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._reader.close()
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def call(self, *arguments):
        self.send(encode(*arguments))
        return self.read()

    def read(self):
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise ErrorReply(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self._read_exactly(int(rest) + 2)
            return data[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        raise BenchError(f"not a RESP2 reply: {line!r}")

    def expect_ok(self, count):
        """Reads `count` replies that must all be +OK."""
        wanted = b"+OK\r\n" * count
        got = self._read_exactly(len(wanted))
        if got != wanted:
            wrong = next(line for line in got.split(b"\r\n") if line != b"+OK")
            raise ErrorReply(f"instead of +OK: {wrong.decode(errors='replace')}")

    def _read_exactly(self, length):
        data = self._reader.read(length)
        if len(data) != length:
            raise ConnectionError("the server closed the connection")
        return data


def encode(*arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def load(client, chunks):
    """Sends (bytes, how many +OK it earns) chunks; one is under way while the replies of the one before are read."""
    unread = 0
    for data, count in chunks:
        client.send(data)
        client.expect_ok(unread)
        unread = count
    client.expect_ok(unread)


class Server:
    """A server process on a free port of 127.0.0.1, with its own folder."""

    def __init__(self, name, program, folder, arguments):
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.argv = [str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), *arguments]
        self._process = None

    def start(self, timeout_s=300):
        """Starts it and waits until it serves; returns the seconds that took."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self._log_path(), "ab") as log:
            try:
                self._process = subprocess.Popen(self.argv, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
            except OSError as error:
                raise BenchError(f"cannot start {self.argv[0]}: {error.strerror}") from None
        started = time.monotonic()
        while not self._serves():
            if self._process.poll() is not None:
                raise BenchError(f"{self.name} ended with {self._process.returncode}:\n{self._log_tail()}")
            if time.monotonic() - started > timeout_s:
                raise BenchError(f"{self.name} does not serve after {timeout_s} s:\n{self._log_tail()}")
            time.sleep(0.005)
        return time.monotonic() - started

    def connect(self):
        return Client(self.port)

    def kill(self):
        """As a crash: SIGKILL."""
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s=60):
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def info(self):
        with self.connect() as client:
            lines = client.call("INFO").decode(errors="replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def cpu_ticks(self):
        """Of all threads, living and ended, and of children that were waited for."""
        after_name = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in after_name[11:15])  # utime, stime, cutime, cstime

    def memory_bytes(self):
        """VmRSS, VmHWM, RssAnon, RssFile, RssShmem as the kernel has them; empty if the process is gone."""
        try:
            status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return {}
        fields = dict(line.split(":", 1) for line in status.splitlines())
        wanted = ("VmRSS", "VmHWM", "RssAnon", "RssFile", "RssShmem")
        return {name: int(fields[name].split()[0]) * 1024 for name in wanted if name in fields}

    def folder_bytes(self):
        return sum(path.stat().st_blocks * 512 for path in self.folder.rglob("*") if path.is_file())

    def _serves(self):
        try:
            with self.connect() as client:
                if client.call("PING") != b"PONG":
                    return False
            return self.info().get("loading", "0") == "0"
        except (OSError, ErrorReply):
            return False

    def _log_path(self):
        return self.folder.parent / f"{self.folder.name}.log"

    def _log_tail(self):
        return "\n".join(self._log_path().read_text(errors="replace").splitlines()[-20:])


def machine_ticks():
    """All processors' (busy, total) time; what a hypervisor gave to others counts as busy."""
    user, nice, system, idle, iowait, irq, softirq, steal = (
        int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy, busy + idle + iowait


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def scratch_folder(keep):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shale-bench."))
    try:
        yield folder
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def megabytes(count):
    return f"{count / (1 << 20):,.0f} MiB"


def commit():
    def git(*arguments):
        result = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
        return result.stdout.strip() if result.returncode == 0 else None

    head = git("rev-parse", "--short", "HEAD")
    if head is None:
        return "unknown"
    return head + (" with uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def describe_machine(folder):
    """Lines for the head of a report: what a reader needs before believing a figure."""
    cpu_info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpu_info if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    file_system = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True)
    return [
        f"- machine: {len(os.sched_getaffinity(0))} cores, {model}, {megabytes(memory)} of memory, "
        f"Linux {os.uname().release}, data on {file_system.stdout.strip()}",
        f"- commit: {commit()}",
    ]


def shown(argv, folder):
    """A command line without what differs from run to run."""
    text = shlex.join(str(argument) for argument in argv)
    return text.replace(str(folder), "TMP").replace(str(ROOT) + "/", "")


def run_program(main):
    """Turns failures into one line on stderr; returns the exit code."""
    try:
        return main()
    except KeyboardInterrupt:
        return 130
    except (BenchError, ConnectionError, TimeoutError) as error:
        print(f"failed: {error}", flush=True)
        return 1
