#include "src/error_message.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>

namespace shale::server {

std::string client_message(const engine::Error& error, Failed what) {
  using engine::ErrorKind;
  if (error.kind == ErrorKind::corruption) return fmt::format("ERR corruption: {}", error.message);
  // Redis's words for a log that cannot be written: clients and operators know them.
  if (what == Failed::write || error.kind == ErrorKind::stopped) {
    return fmt::format("MISCONF Errors writing to the AOF file: {}", error.message);
  }
  return fmt::format("ERR {}", error.message);
}

void log_failure(const engine::Error& error) {
  static std::atomic<std::int64_t> next_second = 0;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t second = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  std::int64_t next = next_second.load(std::memory_order_relaxed);
  if (second < next || !next_second.compare_exchange_strong(next, second + 1)) return;
  spdlog::error("a command failed: {}", error.message);
}

}  // namespace shale::server
