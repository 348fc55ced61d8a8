// Transactions: what the dispatcher does with requests between MULTI and EXEC. docs/transactions.md says how,
// and why so.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/admission.h"
#include "src/client_transaction.h"
#include "src/command/arguments.h"
#include "src/dispatcher.h"
#include "src/dispatcher_internal.h"
#include "src/error_message.h"
#include "src/server.h"

namespace shale::server {
namespace {

constexpr std::string_view kPreviousErrors = "EXECABORT Transaction discarded because of previous errors.";
constexpr std::string_view kQueueFull =
    "ERR the transaction's commands exceed the memory for them; see option memory";
constexpr std::string_view kRepliesTooLong = "its replies exceed the memory for them; see option memory";
constexpr std::string_view kNotAllowed = "ERR Command not allowed inside a transaction";
constexpr std::uint64_t kBytesMaxLeast = 1u << 20;
// So many keys at most are asked for before a transaction that lacks one waits for them all.
constexpr std::size_t kKeysLoadedAtOnceMax = 256;

bool runs_in_order(const CommandSpec& command) {
  return command.keys.first != 0 || command.in_transaction == InTransaction::in_order ||
         command.in_transaction == InTransaction::all_keys;
}

// Whether the commands name their keys, all of the database that is current now.
bool keys_are_known(const Batch& queued) {
  return std::ranges::none_of(queued.requests, [](const Batch::Request& request) {
    const InTransaction behaviour = request.command.spec->in_transaction;
    return behaviour == InTransaction::all_keys || behaviour == InTransaction::in_order;
  });
}

}  // namespace

std::string discarded_because_of(std::string_view error) {
  constexpr std::string_view kCommonCode = "ERR ";
  if (error.starts_with(kCommonCode)) error.remove_prefix(kCommonCode.size());
  return fmt::format("EXECABORT Transaction discarded because of: {}", error);
}

// The request at batch.next, of a client that has called MULTI.
void Dispatcher::advance_transaction(Batch& batch, Session& session, std::string& output,
                                     Progress& progress) {
  const Batch::Request& request = batch.requests[batch.next];
  const auto words = words_of(batch, request);
  const CommandSpec* command = request.command.spec;
  if (!may_run(server_, session, request.command, words)) {
    const std::string error = refusal_of(server_, session, request.command, words);
    if (command != nullptr && command->in_transaction == InTransaction::exec) {
      return abort_transaction(batch, session, discarded_because_of(error), output, progress);
    }
    session.transaction->fail();
    return refuse(batch, session, error, output, progress);
  }
  if (command->flags.has(CommandFlag::no_multi)) {
    session.transaction->fail();
    return refuse(batch, session, kNotAllowed, output, progress);
  }
  switch (command->in_transaction) {
    case InTransaction::exec: return execute_transaction(batch, session, output, progress);
    case InTransaction::at_once:
      answer(batch, {}, session, output, progress);
      return deliver_effects(session, progress);
    default: return queue(batch, session, output, progress);
  }
}

void Dispatcher::queue(Batch& batch, Session& session, std::string& output, Progress& progress) {
  const Batch::Request& request = batch.requests[batch.next];
  const std::uint64_t share = server_.memory_budget().connections;
  const auto held_by_all = static_cast<std::uint64_t>(server_.stats().buffer_bytes());
  const std::uint64_t bytes_max =
      held_by_all > share ? 0 : std::max<std::uint64_t>(share / 8, kBytesMaxLeast);
  const bool queued = session.transaction->queue(request.command, words_of(batch, request),
                                                 batch.large_arguments, request.first_argument, bytes_max);
  session.last_command.store(request.command.spec, std::memory_order_relaxed);
  if (!queued) {
    session.transaction->fail();
    return refuse(batch, session, kQueueFull, output, progress);
  }
  const std::size_t reply_begin = output.size();
  protocol::ReplyWriter{output, session.protocol_version}.simple_string("QUEUED");
  ++batch.next;
  finish_reply(session, output, reply_begin, progress);
}

// EXEC, at batch.next. Until the commit nothing has happened, and what has been done can be done again.
void Dispatcher::execute_transaction(Batch& batch, Session& session, std::string& output,
                                     Progress& progress) {
  ClientTransaction& client = *session.transaction;
  if (batch.begun_at == 0) batch.begun_at = meter_.begun_at();
  if (client.has_failed()) return abort_transaction(batch, session, kPreviousErrors, output, progress);
  // Its PUBLISHs could not wait for the subscribers' threads later.
  if (server_.pubsub().is_congested()) {
    progress.wait = Progress::Wait::retry;
    progress.pause = kRetryPause;
    return;
  }
  const Batch& queued = client.queued();
  const std::size_t reply_begin = output.size();
  const unsigned database = session.database.load(std::memory_order_relaxed);
  const protocol::Version version = session.protocol_version;
  const bool caching_given = session.caching_given;
  transaction_.reset();
  appeared_keys_.clear();
  lock_queued(queued, session);
  if (client.watches().has_failed(now_ms_)) {
    locks_.clear();
    protocol::ReplyWriter{output, version}.null_array();
    return end_transaction(batch, session, output, reply_begin, progress);
  }

  QueuedReplies replies;
  engine::Status status = run_queued(batch, session, replies);
  const bool too_long = status && replies.ends.size() < queued.requests.size();
  if (status && !too_long && transaction_.has_writes()) {
    const auto written = transaction_.commit();
    if (written) {
      session.last_write_lsn = std::max(session.last_write_lsn, *written);
      effects_.committed(transaction_, locks_, session);
      tell_watchers();
    } else {
      status = written.error();
    }
  }
  if (!status || too_long) effects_.all_dropped();
  const bool runs_again = !status && must_run_again(status.error(), progress);
  if (runs_again && progress.wait == Progress::Wait::loads) keep_loads(batch);
  progress.write_delay = std::max(progress.write_delay, transaction_.take_write_delay());
  transaction_.reset();
  locks_.clear();
  if (!status || too_long) {
    session.database.store(database, std::memory_order_relaxed);
    session.protocol_version = version;
    session.shown_protocol.store(static_cast<int>(version), std::memory_order_relaxed);
    session.caching_given = caching_given;
    if (runs_again) return;
    if (too_long)
      return abort_transaction(batch, session, discarded_because_of(kRepliesTooLong), output, progress);
    log_failure(status.error());
    const std::string reason = client_message(status.error(), Failed::write);
    return abort_transaction(batch, session, discarded_because_of(reason), output, progress);
  }
  deliver_effects(session, progress);
  protocol::ReplyWriter{output, version}.array(queued.requests.size());
  write_replies(queued, session, replies, output, progress);
  counters_.keyspace_hits.add(replies.hits);
  counters_.keyspace_misses.add(replies.misses);
  end_transaction(batch, session, output, reply_begin, progress);
}

// The shards of all keys that are queued or watched; or all shards, and keys are declared as they come up.
void Dispatcher::lock_queued(const Batch& queued, Session& session) {
  locks_.clear();
  run_.clear();
  locks_.share_keys();
  if (!keys_are_known(queued)) {
    run_.resize(queued.requests.size());
    return locks_.lock_all();
  }
  for (std::size_t at = 0; at < queued.requests.size(); ++at) {
    run_.emplace_back();
    declare_queued(queued, at, session);
  }
  session.transaction->watches().for_each(
      [&](unsigned database, BytesView name) { locks_.add(database, name); });
  locks_.lock();
}

void Dispatcher::declare_queued(const Batch& queued, std::size_t at, const Session& session) {
  const Batch::Request& request = queued.requests[at];
  const unsigned database = session.database.load(std::memory_order_relaxed);
  const auto words = words_of(queued, request);
  const std::size_t first = locks_.key_count();
  for_each_locked_key(*request.command.spec, words, database,
                      [&](unsigned of_key, std::size_t word) { locks_.add(of_key, words[word]); });
  run_[at] = {first, locks_.key_count() - first};
}

// Runs what has keys, or decides what those do, under the locks; nothing of it has happened yet. Errors: one
// that is not a single command's. Ends early, before the reply that makes them too long.
engine::Status Dispatcher::run_queued(const Batch& batch, Session& session, QueuedReplies& replies) {
  const Batch& queued = session.transaction->queued();
  const std::uint64_t bytes_max =
      std::max<std::uint64_t>(server_.memory_budget().connections / 2, kBytesMaxLeast);
  meter_.begin();
  for (std::size_t at = 0; at < queued.requests.size(); ++at) {
    const unsigned database = session.database.load(std::memory_order_relaxed);
    const protocol::Version version = session.protocol_version;
    if (runs_in_order(*queued.requests[at].command.spec)) {
      if (locks_.holds_all()) declare_queued(queued, at, session);
      if (auto run = run_in_order(batch, at, session, replies); !run) {
        if (run.error().kind != engine::ErrorKind::not_resident) return run;
        // As if the database that is current now stayed so: a guess, which only loads.
        for (std::size_t next = at + 1; locks_.holds_all() && next < queued.requests.size(); ++next) {
          declare_queued(queued, next, session);
        }
        want_rest_of_queue(queued, at + 1);
        return run;
      }
      if (replies.text.size() > bytes_max) return {};
    }
    replies.ends.push_back({replies.text.size(), replies.large.size(), meter_.lap(), database, version});
  }
  return {};
}

engine::Status Dispatcher::run_in_order(const Batch& batch, std::size_t at, Session& session,
                                        QueuedReplies& replies) {
  const Batch& queued = session.transaction->queued();
  const Batch::Request& request = queued.requests[at];
  const auto words = words_of(queued, request);
  const std::size_t reply_begin = replies.text.size();
  const auto savepoint = transaction_.savepoint();
  Keyspace keyspace{transaction_,
                    locks_,
                    run_[at].first,
                    run_[at].count,
                    session.database.load(std::memory_order_relaxed),
                    now_ms_,
                    batch.loads,
                    &effects_.events()};
  effects_.begin_command();
  protocol::ReplyWriter reply{replies.text, session.protocol_version};
  if (const auto refusal = refusal_at_exec(server_, session, request.command, words)) {
    write_error(reply, *refusal);
    replies.refused.push_back(at);
    return {};
  }
  // Who would have to wait has waited long enough.
  constexpr bool kTimedOut = true;
  CommandContext context =
      context_of(session, reply, keyspace, *request.command.spec, replies.large, kTimedOut);
  engine::Status status = request.command.spec->handler(
      context, Arguments{words, request.command.name_words, queued.large_arguments, request.first_argument});
  // Later commands may read what this one has put.
  if (status && transaction_.savepoint().staged != savepoint.staged)
    status = transaction_.finish_large_values();
  if (!status) {
    const engine::ErrorKind kind = status.error().kind;
    if (kind == engine::ErrorKind::not_resident || kind == engine::ErrorKind::busy) return status;
    log_failure(status.error());
    effects_.dropped();
    transaction_.roll_back(savepoint);
    replies.text.resize(reply_begin);
    while (!replies.large.empty() && replies.large.back().offset >= reply_begin) replies.large.pop_back();
    write_error(reply, client_message(status.error(), Failed::read));
  }
  effects_.has_read(session, *request.command.spec, locks_, run_[at].first, run_[at].count, &transaction_);
  note_uses(session, *request.command.spec, run_[at]);
  transaction_.reads().pins.clear();
  replies.hits += keyspace.hits();
  replies.misses += keyspace.misses();
  return {};
}

// The commands behind the one that waits would meet the same fate, one after the other.
void Dispatcher::want_rest_of_queue(const Batch& queued, std::size_t at) {
  std::size_t keys_left = kKeysLoadedAtOnceMax;
  for (; at < run_.size(); ++at) {
    if (queued.requests[at].command.spec->keys.flags.has(KeyFlag::ow)) continue;  // needs no reading
    for (std::size_t key = run_[at].first; key < run_[at].first + run_[at].count; ++key) {
      if (keys_left-- == 0) return;
      // Whatever it says, the command will hear it itself.
      [[maybe_unused]] const auto found = transaction_.get(key);
      transaction_.reads().pins.clear();
    }
  }
}

// The replies of all queued commands; those that touch no keys run now.
void Dispatcher::write_replies(const Batch& queued, Session& session, const QueuedReplies& replies,
                               std::string& output, Progress& progress) {
  const unsigned database = session.database.load(std::memory_order_relaxed);
  const protocol::Version version = session.protocol_version;
  QueuedReplies::End begin{};
  meter_.begin();
  for (std::size_t at = 0; at < queued.requests.size(); ++at) {
    const Batch::Request& request = queued.requests[at];
    const QueuedReplies::End end = replies.ends[at];
    const std::size_t reply_begin = output.size();
    session.database.store(end.database, std::memory_order_relaxed);
    session.protocol_version = end.version;
    effects_.show(session, *request.command.spec, words_of(queued, request));
    if (!runs_in_order(*request.command.spec)) {
      const auto delay = run_after_commit(queued, request, session, output, progress);
      count_queued(queued, request, session, std::string_view{output}.substr(reply_begin), 0, delay);
      continue;
    }
    for (std::size_t number = begin.large; number < end.large; ++number) {
      LargeReply large = replies.large[number];
      large.offset = large.offset - begin.text + output.size();
      progress.large_replies.push_back(std::move(large));
    }
    output.append(replies.text, begin.text, end.text - begin.text);
    count_queued(queued, request, session, std::string_view{output}.substr(reply_begin), end.took, {});
    begin = end;
  }
  for (const std::size_t at : replies.refused) {
    log_refusal_at_exec(server_, session, queued.requests[at].command, words_of(queued, queued.requests[at]));
  }
  session.database.store(database, std::memory_order_relaxed);
  session.protocol_version = version;
}

// `took`: as CommandMeter::Execution has it.
void Dispatcher::count_queued(const Batch& queued, const Batch::Request& request, const Session& session,
                              std::string_view reply, TickClock::Ticks took,
                              std::chrono::milliseconds delay) {
  meter_.executed({.command = request.command,
                   .words = words_of(queued, request),
                   .session = session,
                   .reply = reply,
                   .took = took,
                   .delay = delay});
}

// Returns for how long the command wants its reply to be held back.
std::chrono::milliseconds Dispatcher::run_after_commit(const Batch& queued, const Batch::Request& request,
                                                       Session& session, std::string& output,
                                                       Progress& progress) {
  const auto words = words_of(queued, request);
  const std::size_t reply_begin = output.size();
  Keyspace keyspace{transaction_, locks_, 0, 0, session.database.load(std::memory_order_relaxed), now_ms_};
  protocol::ReplyWriter reply{output, session.protocol_version};
  if (const auto refusal = refusal_at_exec(server_, session, request.command, words)) {
    log_refusal_at_exec(server_, session, request.command, words);
    write_error(reply, *refusal);
    return {};
  }
  effects_.begin_command();
  CommandContext context =
      context_of(session, reply, keyspace, *request.command.spec, progress.large_replies, false);
  context.behind_commit = true;
  const Arguments arguments{words, request.command.name_words, queued.large_arguments,
                            request.first_argument};
  engine::Status status = request.command.spec->handler(context, arguments);
  if (status && context.suspend) {  // nobody waits within a transaction
    take_back(output, reply_begin, progress);
    context.suspend.reset();
    context.timed_out = true;
    status = request.command.spec->handler(context, arguments);
    if (status && context.suspend) write_error(reply, kNotAllowed);  // what waits for no time, but for a file
  }
  if (!status) {
    effects_.dropped();
    take_back(output, reply_begin, progress);
    const engine::ErrorKind kind = status.error().kind;
    if (kind == engine::ErrorKind::not_resident || kind == engine::ErrorKind::busy) {
      write_error(reply, kNotAllowed);  // behind the commit nothing is run again
    } else {
      log_failure(status.error());
      write_error(reply, client_message(status.error(), Failed::read));
    }
  }
  session.last_write_lsn = std::max(session.last_write_lsn, context.written_lsn);
  if (context.delay.count() > 0) {
    progress.wait = Progress::Wait::delay;
    progress.pause = std::max<std::chrono::microseconds>(progress.pause, context.delay);
  }
  deliver_effects(session, progress);
  return context.delay;
}

void Dispatcher::abort_transaction(Batch& batch, Session& session, std::string_view error,
                                   std::string& output, Progress& progress) {
  const std::size_t reply_begin = output.size();
  protocol::ReplyWriter reply{output, session.protocol_version};
  write_error(reply, error);
  end_transaction(batch, session, output, reply_begin, progress);
}

void Dispatcher::end_transaction(Batch& batch, Session& session, std::string& output, std::size_t reply_begin,
                                 Progress& progress) {
  session.last_command.store(batch.requests[batch.next].command.spec, std::memory_order_relaxed);
  session.transaction->discard();
  const Batch::Request& exec = batch.requests[batch.next];
  effects_.answered(session, *exec.command.spec, words_of(batch, exec), locks_, 0, 0);
  meter_.executed({.command = exec.command,
                   .words = words_of(batch, exec),
                   .session = session,
                   .reply = std::string_view{output}.substr(reply_begin),
                   .begun_at = std::exchange(batch.begun_at, 0)});
  batch.loads.clear();
  batch.loads_begun = 0;
  batch.timed_out = false;
  ++batch.next;
  if (progress.wait == Progress::Wait::delay) progress.held_from = reply_begin;
  deliver_effects(session, progress);
  finish_reply(session, output, reply_begin, progress);
}

}  // namespace shale::server
