// What the tests of tables share: files in memory that count and refuse, random entries from a seed, and
// tables built from them.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/io/file_system.h"
#include "engine/lsm/table.h"
#include "engine/lsm/table_builder.h"
#include "engine/testing/test_seed.h"

namespace shale::engine::lsm {

// Names the seed in every failure below it.
#define SHALE_TRACE_SEED SCOPED_TRACE("TEST_SEED=" + std::to_string(test_seed()))

// Only what tables need. Readable by many threads while nobody writes.
class MemoryFiles final : public FileSystem {
 public:
  struct Contents {
    Bytes bytes;
    bool is_synced = false;
    mutable std::atomic<std::uint64_t> reads = 0;
    std::uint64_t writes = 0;
    std::atomic<std::uint64_t> dropped_bytes = 0;
    mutable std::atomic<bool> refuses_reads = false;
    std::uint64_t writes_until_refusal = UINT64_MAX;
    mutable std::atomic<std::uint64_t> announced_bytes = 0;
    std::atomic<std::size_t> resident_bytes = 0;  // of the beginning, for read_resident
    mutable std::atomic<std::uint64_t> resident_reads = 0;
    mutable std::atomic<std::uint64_t> resident_read_bytes = 0;  // asked for
  };

  Contents& operator[](const std::string& path) { return *files_.at(path); }
  void put(const std::string& path, Bytes bytes) {
    auto& contents = files_[path];
    contents = std::make_shared<Contents>();
    contents->bytes = std::move(bytes);
  }

  Result<std::unique_ptr<File>> create(const std::string& path) override {
    put(path, {});
    return open(path);
  }
  Result<std::unique_ptr<File>> open(const std::string& path) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return Error{ErrorKind::io, "open " + path};
    return std::unique_ptr<File>{std::make_unique<MemoryFile>(path, found->second)};
  }
  Result<std::unique_ptr<File>> open_writable(const std::string& path) override { return open(path); }
  Result<std::unique_ptr<MappedFile>> create_mapped(const std::string&, std::uint64_t) override {
    return unused();
  }
  Result<std::unique_ptr<MappedFile>> open_mapped(const std::string&) override { return unused(); }
  Result<bool> exists(const std::string& path) override { return files_.contains(path); }
  Result<std::vector<std::string>> list(const std::string&) override { return unused(); }
  Result<std::vector<std::string>> list_folders(const std::string&) override { return unused(); }
  Status create_folder(const std::string&) override { return unused(); }
  Status rename(const std::string&, const std::string&) override { return unused(); }
  Status link(const std::string&, const std::string&) override { return unused(); }
  Status remove(const std::string&) override { return unused(); }
  Status remove_folder(const std::string&) override { return unused(); }
  Status sync_folder(const std::string&) override { return unused(); }
  Result<std::unique_ptr<FolderLock>> lock(const std::string&) override { return unused(); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return unused(); }

 private:
  class MemoryFile final : public File {
   public:
    MemoryFile(std::string path, std::shared_ptr<Contents> contents)
        : path_(std::move(path)), contents_(std::move(contents)) {}

    Status read_at(std::uint64_t offset, std::span<char> into) const override {
      ++contents_->reads;
      if (contents_->refuses_reads) return Error{ErrorKind::io, "read " + path_ + ": refused"};
      if (offset > contents_->bytes.size() || into.size() > contents_->bytes.size() - offset) {
        return corruption(path_ + " ends too early");
      }
      contents_->bytes.copy(into.data(), into.size(), offset);
      return {};
    }
    std::size_t read_resident(std::uint64_t offset, std::span<char> into) const override {
      ++contents_->resident_reads;
      contents_->resident_read_bytes += into.size();
      const std::size_t end = std::min(contents_->resident_bytes.load(), contents_->bytes.size());
      if (offset >= end) return 0;
      return contents_->bytes.copy(into.data(), std::min(into.size(), end - offset), offset);
    }
    void announce_read(std::uint64_t, std::uint64_t length) const override {
      contents_->announced_bytes += length;
    }
    Status write_at(std::uint64_t offset, BytesView bytes) override {
      if (contents_->writes_until_refusal-- == 0)
        return Error{ErrorKind::no_space, "write " + path_ + ": full"};
      ++contents_->writes;
      contents_->is_synced = false;
      if (contents_->bytes.size() < offset + bytes.size()) contents_->bytes.resize(offset + bytes.size());
      contents_->bytes.replace(offset, bytes.size(), bytes);
      return {};
    }
    Status sync() override {
      contents_->is_synced = true;
      return {};
    }
    Result<std::uint64_t> size() const override { return contents_->bytes.size(); }
    Status truncate(std::uint64_t size_bytes) override {
      contents_->bytes.resize(size_bytes);
      return {};
    }
    void drop_cache(std::uint64_t, std::uint64_t length) override { contents_->dropped_bytes += length; }

   private:
    const std::string path_;
    const std::shared_ptr<Contents> contents_;
  };

  static Error unused() { return {ErrorKind::unsupported, "not in MemoryFiles"}; }

  std::map<std::string, std::shared_ptr<Contents>> files_;
};

struct OwnedEntry {
  Bytes key;
  Bytes value;
  EntryTag tag;

  Entry view() const { return {key, value, tag}; }
};

inline OwnedEntry value_entry(BytesView key, BytesView value, std::int8_t balance = 1) {
  return {Bytes{key}, Bytes{value}, {EntryType::value, balance}};
}
inline OwnedEntry tombstone_entry(BytesView key, std::int8_t balance = -1) {
  return {Bytes{key}, {}, {EntryType::tombstone, balance}};
}

inline constexpr const char* kTablePath = "t/000007.table";
inline constexpr std::uint64_t kTableNumber = 7;

inline Result<TableProperties> write_table(MemoryFiles& files, const std::vector<OwnedEntry>& entries,
                                           TableBuilderOptions options = {},
                                           const std::string& path = kTablePath) {
  if (options.table_number == 0) options.table_number = kTableNumber;
  TableBuilder builder{files.create(path).value(), options};
  for (const OwnedEntry& entry : entries) {
    if (Status status = builder.add(entry.view()); !status) return status.error();
  }
  return builder.finish();
}

inline void run_all(const ReadContext& context) {
  for (const std::shared_ptr<Load>& load : context.missing) load->run();
}

// What a command does: execute, run what is missing, execute again with the loads kept.
inline Result<std::optional<Entry>> find_with_loads(const Table& table, BytesView key, ReadContext& context) {
  const HashedKey hashed{key};
  while (true) {
    Result<std::optional<Entry>> found = table.find(hashed, context);
    if (found || found.error().kind != ErrorKind::not_resident) return found;
    run_all(context);
  }
}

// Keys of every kind: tokens, long shared beginnings, short ones, bytes 0 and 255.
inline Bytes random_key(std::mt19937_64& random) {
  Bytes key;
  switch (random() % 5) {
    case 0: {  // ring position: token, then a key
      const std::uint64_t token = random();
      key.assign(reinterpret_cast<const char*>(&token), sizeof token);
      key += "0:user:" + std::to_string(random() % 1000000);
      break;
    }
    case 1: key = std::string(40, 'p') + std::to_string(random() % 100000); break;
    case 2:
      key = "user:" + std::to_string(random() % 1000) + ":field:" + std::to_string(random() % 10);
      break;
    case 3:
      for (std::uint64_t i = random() % 6; i != 0; --i) key.push_back("\0\1\xfe\xff"[random() % 4]);
      break;
    default: key = std::string(random() % 300, 'z') + std::string(1, static_cast<char>(random())); break;
  }
  return key;
}

inline std::vector<OwnedEntry> random_entries(std::mt19937_64& random, std::size_t count,
                                              std::size_t value_bytes_max = 200) {
  std::map<Bytes, OwnedEntry> entries;
  while (entries.size() < count) {
    OwnedEntry entry;
    entry.key = random_key(random);
    entry.tag.type = random() % 5 == 0 ? EntryType::tombstone : EntryType::value;
    entry.tag.balance = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
    if (entry.tag.type == EntryType::value) {
      entry.value.assign(random() % (value_bytes_max + 1), static_cast<char>('a' + random() % 26));
      if (random() % 2 == 0) {
        for (char& byte : entry.value) byte = static_cast<char>(random());
      }
    }
    entries.emplace(entry.key, std::move(entry));
  }
  std::vector<OwnedEntry> sorted;
  sorted.reserve(entries.size());
  for (auto& [key, entry] : entries) sorted.push_back(std::move(entry));
  return sorted;
}

// Bytes written as hexadecimal digits, with spaces for the reader.
inline Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  unsigned digits = 0;
  unsigned value = 0;
  for (const char digit : hex) {
    if (digit == ' ') continue;
    value = value * 16 + static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    if (++digits % 2 == 0) bytes.push_back(static_cast<char>(value & 0xff));
  }
  return bytes;
}

}  // namespace shale::engine::lsm
