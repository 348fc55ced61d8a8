#include "src/dispatcher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <span>
#include <utility>

#include "src/admission.h"
#include "src/client_transaction.h"
#include "src/command/arguments.h"
#include "src/dispatcher_internal.h"
#include "src/error_message.h"
#include "src/server.h"

namespace shale::server {
namespace {

// Of a writer whose news others have not caught up with.
constexpr std::chrono::microseconds kCongestionPause{2000};
// Beyond the command that waits, so many keys of those behind it are loaded along with its own.
constexpr std::size_t kKeysLoadedAheadMax = 16;
// A browser says one of these, when a web page has it send a request to us: the first words of lines that the
// page has no hand in.
bool is_http(std::string_view command) {
  return equals_ignoring_case(command, "post") || equals_ignoring_case(command, "host:");
}

// Once a minute at most, so that the log cannot be flooded.
void warn_of_http(std::string_view address, std::int64_t now_ms) {
  constexpr std::int64_t kMinuteMs = 60'000;
  static std::atomic<std::int64_t> next_ms = 0;
  std::int64_t next = next_ms.load(std::memory_order_relaxed);
  if (now_ms < next || !next_ms.compare_exchange_strong(next, now_ms + kMinuteMs)) return;
  spdlog::warn("disconnecting {}, who sends HTTP: perhaps a browser, misused by a web page to send commands",
               address);
}

constexpr std::string_view kUnblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

}  // namespace

void write_error(protocol::ReplyWriter& reply, std::string_view error) {
  const std::size_t code_end = std::min(error.find(' '), error.size());
  reply.error(error.substr(0, code_end), error.substr(std::min(code_end + 1, error.size())));
}

void Batch::clear() {
  arguments.clear();
  requests.clear();
  large_arguments.clear();
  loads.clear();
  next = 0;
  loads_begun = 0;
  begun_at = 0;
  timed_out = false;
  unblocked = false;
  postponed = false;
}

Dispatcher::Dispatcher(Server& server, ThreadCounters& counters)
    : server_(server),
      counters_(counters),
      meter_(server.metering(), counters),
      locks_(server.store()),
      transaction_(server.store(), locks_),
      effects_(server) {}

void Dispatcher::add_request(Batch& batch, std::size_t first_argument) {
  const auto words = std::span<const std::string_view>{batch.arguments}.subspan(first_argument);
  batch.requests.push_back({static_cast<std::uint32_t>(first_argument),
                            static_cast<std::uint32_t>(words.size()), resolve_command(words)});
}

Progress Dispatcher::execute(Batch& batch, Session& session, std::string& output,
                             std::size_t output_bytes_max) {
  Progress progress;
  const std::size_t begun_at = batch.next;
  now_ms_ = server_.store().clock().unix_ms();
  meter_.begin();
  batch.postponed = false;
  if (std::exchange(batch.unblocked, false)) refuse(batch, session, kUnblocked, output, progress);
  while (!batch.done() && progress.wait == Progress::Wait::nothing) {
    if (is_postponed(batch, batch.next, session)) [[unlikely]] {
      postpone(batch, session, progress);
    } else if (session.transaction && session.transaction->is_open()) [[unlikely]] {
      advance_transaction(batch, session, output, progress);
    } else if (runs_under_locks(batch, batch.next, session)) {
      execute_run(batch, session, output, output_bytes_max, progress);
    } else {
      answer_alone(batch, session, output, progress);
    }
    if (progress.wait == Progress::Wait::nothing && !batch.done() && output.size() > output_bytes_max) {
      progress.wait = Progress::Wait::output;
    }
  }
  const std::size_t answered = batch.next - begun_at;
  counters_.commands.add(static_cast<std::int64_t>(answered));
  session.commands_total.store(session.commands_total.load(std::memory_order_relaxed) + answered,
                               std::memory_order_relaxed);
  session.last_command_at_ms.store(now_ms_, std::memory_order_relaxed);
  return progress;
}

std::chrono::milliseconds Dispatcher::pause_left(const Batch& batch, std::size_t at, Session& session) const {
  const Batch::Request& request = batch.requests[at];
  if (!may_run(server_, session, request.command, words_of(batch, request))) return {};  // is refused at once
  return server_.pause().left(*request.command.spec, session.transaction.get(),
                              std::chrono::steady_clock::now());
}

// The request at batch.next waits for the end of the pause, and all behind it.
void Dispatcher::postpone(Batch& batch, Session& session, Progress& progress) {
  batch.postponed = true;
  progress.wait = Progress::Wait::suspension;
  progress.suspension = Suspension{.begin =
                                       [&pause = server_.pause()](const std::function<void()>& resume) {
                                         if (!pause.is_on()) resume();  // it has ended meanwhile
                                       },
                                   .timeout = pause_left(batch, batch.next, session)};
}

bool Dispatcher::runs_under_locks(const Batch& batch, std::size_t at, Session& session) const {
  const Batch::Request& request = batch.requests[at];
  const CommandSpec* command = request.command.spec;
  return command != nullptr && command->keys.first != 0 &&
         may_run(server_, session, request.command, words_of(batch, request));
}

void Dispatcher::execute_run(Batch& batch, Session& session, std::string& output,
                             std::size_t output_bytes_max, Progress& progress) {
  declare_run(batch, session);
  for (std::size_t key = 0; key < locks_.key_count(); ++key) server_.last_uses().prefetch(locks_.hash(key));
  locks_.lock();
  for (std::size_t index = 0; index < run_.size(); ++index) {
    const Answer answered = answer(batch, run_[index], session, output, progress);
    locks_.note_executed(run_[index].first, run_[index].count);
    if (answered == Answer::waits) {
      if (progress.wait == Progress::Wait::loads) {
        want_rest_of_run(batch, index);
        keep_loads(batch);
      }
      break;
    }
    // A delay, a disconnection, or too much to send: the rest of the run is for later.
    if (progress.wait != Progress::Wait::nothing || output.size() > output_bytes_max) break;
  }
  progress.write_delay = std::max(progress.write_delay, transaction_.take_write_delay());
  transaction_.reset();
  locks_.clear();
  deliver_effects(session, progress);
}

// What the commands have done is told before they are acknowledged.
void Dispatcher::deliver_effects(const Session& session, Progress& progress) {
  if (!effects_.deliver(session)) progress.write_delay = std::max(progress.write_delay, kCongestionPause);
  if (session.listens() && progress.wait == Progress::Wait::nothing &&
      !server_.pubsub().inbox(session.subscriber.thread).empty()) {
    progress.wait = Progress::Wait::pushes;
  }
}

// A request that is no part of a run.
void Dispatcher::answer_alone(Batch& batch, Session& session, std::string& output, Progress& progress) {
  const Batch::Request& request = batch.requests[batch.next];
  const auto words = words_of(batch, request);
  if (!may_run(server_, session, request.command, words)) {
    std::string error = refusal_of(server_, session, request.command, words);
    const CommandSpec* refused = request.command.spec;
    if (refused != nullptr && refused->in_transaction == InTransaction::exec)
      error = discarded_because_of(error);
    return refuse(batch, session, error, output, progress);
  }
  const CommandSpec& command = *request.command.spec;
  const bool writes_all =
      command.in_transaction == InTransaction::all_keys && command.flags.has(CommandFlag::write);
  if (writes_all) locks_.lock_all();
  answer(batch, {}, session, output, progress);
  if (writes_all) {
    progress.write_delay = std::max(progress.write_delay, transaction_.take_write_delay());
    transaction_.reset();
    locks_.clear();
  }
  deliver_effects(session, progress);
}

// The commands of a run can change neither the database nor who the client is: those that do have no keys.
void Dispatcher::declare_run(const Batch& batch, Session& session) {
  const unsigned database = session.database.load(std::memory_order_relaxed);
  locks_.clear();
  run_.clear();
  std::size_t arguments = 0;
  for (std::size_t at = batch.next; at < batch.requests.size() && run_.size() < kRunRequestsMax; ++at) {
    // The first has been asked.
    if (at != batch.next && (!runs_under_locks(batch, at, session) || is_postponed(batch, at, session)))
      break;
    const Batch::Request& request = batch.requests[at];
    arguments += request.argument_count;
    if (!run_.empty() && (arguments > kRunArgumentsMax || session.listens())) break;
    const auto words = words_of(batch, request);
    const std::size_t first = locks_.key_count();
    for_each_locked_key(*request.command.spec, words, database,
                        [&](unsigned of_key, std::size_t word) { locks_.add(of_key, words[word]); });
    run_.push_back({first, locks_.key_count() - first});
  }
}

// Runs the request at batch.next, and moves on to the one behind it unless it has to wait.
Dispatcher::Answer Dispatcher::answer(Batch& batch, Keys keys, Session& session, std::string& output,
                                      Progress& progress) {
  const Batch::Request& request = batch.requests[batch.next];
  const CommandSpec& command = *request.command.spec;
  const std::size_t reply_begin = output.size();

  transaction_.reset();
  appeared_keys_.clear();
  Keyspace keyspace{transaction_,
                    locks_,
                    keys.first,
                    keys.count,
                    session.database.load(std::memory_order_relaxed),
                    now_ms_,
                    batch.loads,
                    &effects_.events()};
  effects_.begin_command();
  protocol::ReplyWriter reply{output, session.protocol_version};
  CommandContext context =
      context_of(session, reply, keyspace, command, progress.large_replies, batch.timed_out);

  Failed failed = Failed::read;
  engine::Status status =
      command.handler(context, Arguments{words_of(batch, request), request.command.name_words,
                                         batch.large_arguments, request.first_argument});
  if (status && transaction_.has_writes()) {
    failed = Failed::write;
    const auto written = transaction_.commit();
    if (written) {
      session.last_write_lsn = std::max(session.last_write_lsn, *written);
      effects_.committed(transaction_, locks_, session);
      tell_watchers();
    } else {
      status = written.error();
    }
  }

  if (!status) {
    effects_.dropped();
    take_back(output, reply_begin, progress);
    const engine::Error& error = status.error();
    if (must_run_again(error, progress)) {
      if (batch.begun_at == 0) batch.begun_at = meter_.begun_at();
      if (progress.wait == Progress::Wait::loads && keys.count == 0) keep_loads(batch);
      return Answer::waits;
    }
    log_failure(error);
    if (keys.count == 0 && command.flags.has(CommandFlag::write)) failed = Failed::write;
    write_error(reply, client_message(error, failed));
  } else if (context.suspend) {
    effects_.dropped();
    take_back(output, reply_begin, progress);
    progress.wait = Progress::Wait::suspension;
    progress.suspension = std::move(context.suspend);
    batch.begun_at = 0;
    return Answer::waits;
  }

  session.last_write_lsn = std::max(session.last_write_lsn, context.written_lsn);
  session.last_command.store(&command, std::memory_order_relaxed);
  if (keyspace.hits() != 0) counters_.keyspace_hits.add(keyspace.hits());
  if (keyspace.misses() != 0) counters_.keyspace_misses.add(keyspace.misses());
  if (!batch.loads.empty()) {
    batch.loads.clear();
    batch.loads_begun = 0;
  }
  batch.timed_out = false;
  effects_.answered(session, command, words_of(batch, request), locks_, keys.first, keys.count);
  note_uses(session, command, keys);
  meter_.executed({.command = request.command,
                   .words = words_of(batch, request),
                   .session = session,
                   .reply = std::string_view{output}.substr(reply_begin),
                   .begun_at = std::exchange(batch.begun_at, 0),
                   .delay = context.delay});
  ++batch.next;
  finish_reply(session, output, reply_begin, progress, context.replies_are_pushes);
  if (context.delay.count() > 0) {
    progress.wait = Progress::Wait::delay;
    progress.pause = context.delay;
    progress.held_from = reply_begin;
  }
  return Answer::given;
}

void Dispatcher::note_uses(const Session& session, const CommandSpec& command, Keys keys) {
  if (keys.count == 0 || command.key_use == KeyUse::look) return;
  if (session.no_touch.load(std::memory_order_relaxed) && command.flags.has(CommandFlag::readonly) &&
      command.key_use != KeyUse::touch) {
    return;
  }
  const std::int64_t now_s = now_ms_ / 1000;
  for (std::size_t key = keys.first; key < keys.first + keys.count; ++key) {
    server_.last_uses().note(locks_.hash(key), now_s);
  }
}

// Whether the command that has met it has to be run again, and when.
bool Dispatcher::must_run_again(const engine::Error& error, Progress& progress) {
  if (error.kind == engine::ErrorKind::not_resident) {
    counters_.cold_reads.add();
    progress.wait = Progress::Wait::loads;
    return true;
  }
  if (error.kind != engine::ErrorKind::busy) return false;
  progress.wait = Progress::Wait::retry;
  progress.pause = kRetryPause;
  return true;
}

CommandContext Dispatcher::context_of(Session& session, protocol::ReplyWriter& reply, Keyspace& keyspace,
                                      const CommandSpec& command, std::vector<LargeReply>& large_replies,
                                      bool timed_out) {
  return {.server = server_,
          .session = session,
          .reply = reply,
          .keyspace = keyspace,
          .command = command,
          .events = effects_.events(),
          .large_replies = large_replies,
          .suspend = {},
          .timed_out = timed_out,
          .appeared_keys = appeared_keys_};
}

// What has just been committed, under the locks that it was committed under.
void Dispatcher::tell_watchers() {
  WatchTable& watches = server_.watches();
  if (!watches.any()) [[likely]]
    return;
  transaction_.for_each_write(
      [&](std::size_t index) { watches.touch(locks_.database(index), locks_.name(index)); });
  for (unsigned database = 0; database < cluster::kDatabaseCount; ++database) {
    if (transaction_.replaces(database)) watches.touch_replaced(database);
  }
  for (const auto& [database, name] : appeared_keys_) watches.touch(database, name);
}

// The request at batch.next gets an error instead of being run.
void Dispatcher::refuse(Batch& batch, Session& session, std::string_view error, std::string& output,
                        Progress& progress) {
  const Batch::Request& request = batch.requests[batch.next];
  if (request.command.spec == nullptr && is_http(words_of(batch, request)[0])) {
    warn_of_http(session.address, now_ms_);
    session.close_after_reply = true;
    progress.wait = Progress::Wait::disconnect;
    return;
  }
  const std::size_t reply_begin = output.size();
  protocol::ReplyWriter reply{output, session.protocol_version};
  write_error(reply, error);
  meter_.refused(batch.requests[batch.next].command, std::string_view{output}.substr(reply_begin));
  ++batch.next;
  finish_reply(session, output, reply_begin, progress);
}

void Dispatcher::take_back(std::string& output, std::size_t reply_begin, Progress& progress) {
  output.resize(reply_begin);
  auto& large = progress.large_replies;
  while (!large.empty() && large.back().offset >= reply_begin) large.pop_back();
}

// Counts the reply that begins at `reply_begin`, or takes it back from a client that wants none, if it is no
// push.
void Dispatcher::finish_reply(Session& session, std::string& output, std::size_t reply_begin,
                              Progress& progress, bool is_push) {
  if (session.reply_mode == ReplyMode::on) [[likely]] {
    progress.replies += output.size() > reply_begin ? 1 : 0;
  } else {
    if (!is_push) take_back(output, reply_begin, progress);
    if (session.reply_mode == ReplyMode::skip_this) session.reply_mode = ReplyMode::on;
    if (session.reply_mode == ReplyMode::skip_next) session.reply_mode = ReplyMode::skip_this;
  }
  if (session.close_after_reply) progress.wait = Progress::Wait::disconnect;
}

// The commands behind the one that waits would meet the same fate, one after the other: what they read is
// fetched with it. What they only write needs no reading.
void Dispatcher::want_rest_of_run(const Batch& batch, std::size_t run_index) {
  std::size_t keys_left = kKeysLoadedAheadMax;
  for (std::size_t index = run_index + 1; index < run_.size(); ++index) {
    const Batch::Request& request = batch.requests[batch.next + index - run_index];
    if (!request.command.spec->flags.has(CommandFlag::readonly)) continue;
    for (std::size_t key = run_[index].first; key < run_[index].first + run_[index].count; ++key) {
      if (keys_left-- == 0) return;
      // Whatever it says, the command will hear it itself.
      [[maybe_unused]] const auto found = transaction_.get(key);
    }
  }
}

void Dispatcher::keep_loads(Batch& batch) {
  batch.loads_begun = batch.loads.size();
  for (auto& load : transaction_.reads().missing) {
    if (std::ranges::find(batch.loads, load) == batch.loads.end()) batch.loads.push_back(std::move(load));
  }
  transaction_.reads().clear();
}

}  // namespace shale::server
