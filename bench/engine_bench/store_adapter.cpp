#include "bench/engine_bench/store_adapter.h"

#include <charconv>

namespace shale::bench {
namespace {

// Does nothing, correctly as far as the checks can see: see open_nothing().
class NothingAdapter final : public StoreAdapter {
 public:
  explicit NothingAdapter(const StoreSettings& settings) { apply_overrides(settings, {}); }

  void put(std::string_view, std::string_view value) override { value_bytes_ = value.size(); }
  void put_synced(std::string_view, std::string_view) override {}
  // Keys that were loaded and keys that were not look alike here, so this answers that all are there.
  bool get(std::string_view key, std::string& value) override {
    value.resize(value_bytes_);
    const std::uint64_t check = check_of(key);
    std::memcpy(value.data(), &check, kCheckBytes);
    std::memcpy(value.data() + value.size() - kCheckBytes, &check, kCheckBytes);
    return true;
  }
  void scan(std::string_view, std::size_t, ScanCheck&) override {}
  bool busy() override { return false; }
  StoreCounters counters() override { return {}; }
  bool is_log_file(const std::string&) const override { return false; }
  std::string settings() const override { return "none: this is the driver alone"; }

 private:
  std::size_t value_bytes_ = kValueBytesMin;
};

}  // namespace

std::unique_ptr<StoreAdapter> open_nothing(const StoreSettings& settings) {
  return std::make_unique<NothingAdapter>(settings);
}

void apply_overrides(const StoreSettings& settings, const OptionSetters& setters) {
  for (const auto& [name, value] : settings.overrides) {
    const auto setter = setters.find(name);
    if (setter != setters.end()) {
      setter->second(value);
      continue;
    }
    std::string known;
    for (const auto& [other, unused] : setters) known += " " + other;
    throw BenchError("no option '" + name + "'; there are" + (known.empty() ? " none" : known));
  }
}

std::uint64_t parse_bytes(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  if (error == std::errc{}) {
    if (unit.empty()) return number;
    if (unit == "k") return number << 10;
    if (unit == "m") return number << 20;
    if (unit == "g") return number << 30;
  }
  throw BenchError("'" + text + "' is not a number of bytes such as 4096, 64k, 16m or 1g");
}

}  // namespace shale::bench
