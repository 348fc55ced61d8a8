// Whether what clients saw of a register can be explained by one order in which every operation took effect
// at one moment between its call and its return: linearizability.
//
// The search is Wing and Gong's with Lowe's memory of configurations that led nowhere: Wing, Gong, "Testing
// and verifying concurrent objects", JPDC 1993; Lowe, "Testing for linearizability", 2016. A set of registers
// is linearizable if each is, so each key is checked alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <list>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace shale::integration {

// Values are numbers; 0: there is none.
struct RegisterOperation {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  enum class Kind : std::uint8_t { read, write, swap };  // a swap writes, and sees what was there before
  Kind kind{};
  std::uint64_t written = 0;
  std::uint64_t seen = 0;
  std::int64_t called = 0;         // by one clock
  std::int64_t returned = kNever;  // never: nobody knows whether it took effect, or will; not for reads
};

class RegisterHistory {
 public:
  explicit RegisterHistory(std::vector<RegisterOperation> operations) : operations_(std::move(operations)) {}

  // From a register without a value on.
  bool is_linearizable() {
    fill_events();
    std::vector<bool> applied(operations_.size());
    std::unordered_set<std::string> tried;
    std::vector<Step> steps;
    std::uint64_t value = 0;
    for (auto event = events_.begin(); event != events_.end();) {
      const std::size_t index = event->operation;
      const RegisterOperation& operation = operations_[index];
      if (event->is_return) {
        if (operation.returned == RegisterOperation::kNever) return true;  // all that returned are in order
        // A read that fits changes nothing, so that to put it later would not help: only writes are tried
        // anew.
        do {
          if (steps.empty()) return false;
          event = take_back(steps, applied, value);
        } while (operations_[event->operation].kind == Kind::read);
        ++event;
        continue;
      }
      if (fits(operation, value)) {
        applied[index] = true;
        const std::uint64_t next = operation.kind == Kind::read ? value : operation.written;
        if (tried.insert(configuration(applied, next)).second) {
          steps.push_back(take_out(event, value));
          value = next;
          event = events_.begin();
          continue;
        }
        applied[index] = false;
      }
      ++event;
    }
    return true;
  }

 private:
  using Kind = RegisterOperation::Kind;
  struct Event {
    std::int64_t time;
    bool is_return;
    std::size_t operation;
  };
  using Events = std::list<Event>;
  // An operation that has been put next in the order, with where its events were.
  struct Step {
    Events call;
    Events::iterator behind_call;
    Events returning;
    Events::iterator behind_return;
    std::uint64_t value_before;
  };

  static bool fits(const RegisterOperation& operation, std::uint64_t value) {
    return operation.kind == Kind::write || operation.seen == value;
  }

  static std::string configuration(const std::vector<bool>& applied, std::uint64_t value) {
    std::string bytes((applied.size() + 7) / 8, '\0');
    for (std::size_t i = 0; i < applied.size(); ++i) {
      if (applied[i]) bytes[i / 8] = static_cast<char>(bytes[i / 8] | 1 << i % 8);
    }
    return bytes + std::to_string(value);
  }

  void fill_events() {
    std::vector<Event> events;
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      events.push_back({operations_[i].called, false, i});
      events.push_back({operations_[i].returned, true, i});
    }
    // Of one moment, calls come first: that allows more orders, never fewer.
    std::ranges::stable_sort(events, [](const Event& a, const Event& b) {
      return std::pair{a.time, a.is_return} < std::pair{b.time, b.is_return};
    });
    events_.assign(events.begin(), events.end());
    returns_.resize(operations_.size());
    for (auto event = events_.begin(); event != events_.end(); ++event) {
      if (event->is_return) returns_[event->operation] = event;
    }
  }

  Step take_out(Events::iterator call, std::uint64_t value) {
    Step step;
    step.value_before = value;
    const auto returning = returns_[call->operation];
    step.behind_return = std::next(returning);
    step.returning.splice(step.returning.end(), events_, returning);
    step.behind_call = std::next(call);
    step.call.splice(step.call.end(), events_, call);
    return step;
  }

  // Undoes the last step, and returns its call: the search goes on behind it.
  Events::iterator take_back(std::vector<Step>& steps, std::vector<bool>& applied, std::uint64_t& value) {
    Step step = std::move(steps.back());
    steps.pop_back();
    applied[step.call.front().operation] = false;
    value = step.value_before;
    const auto call = step.call.begin();
    events_.splice(step.behind_call, step.call);
    events_.splice(step.behind_return, step.returning);
    return call;
  }

  std::vector<RegisterOperation> operations_;
  Events events_;  // of those that are not in the order yet, by time
  std::vector<Events::iterator> returns_;
};

}  // namespace shale::integration
