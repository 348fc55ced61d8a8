// What a test of any engine needs of one: the engine itself, its background work, and a restart.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/engine.h"

namespace shale::engine {

// Used by one thread, on which background work runs as well: nobody else wants the engine's mutex, and calls
// need not take it. All keys are of count class 0, all records live.
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;
  virtual Engine& engine() = 0;
  // Runs one piece of background work; false if none waits.
  virtual bool run_one() = 0;
  // Closes the engine and opens it again; what it had not persisted is gone.
  virtual void reopen() = 0;
};

// Small enough that some thousand records reach every part of the engine.
struct EngineKind {
  const char* name;
  std::unique_ptr<EngineUnderTest> (*make)(std::uint64_t seed);  // in the order of which background work runs
};

}  // namespace shale::engine
