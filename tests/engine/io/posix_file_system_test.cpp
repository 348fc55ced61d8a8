#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/io/file_system.h"

namespace shale::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PosixFileSystem : public testing::Test {
 protected:
  PosixFileSystem() {
    std::string pattern = (std::filesystem::temp_directory_path() / "shale-files-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~PosixFileSystem() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
};

TEST_F(PosixFileSystem, ReadsBackWhatWasWritten) {
  {
    auto file = files_->create(path("a")).value();
    ASSERT_TRUE(file->write_at(0, "hello"));
    ASSERT_TRUE(file->write_at(10'000, "world"));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(file->size().value(), 10'005u);
    file->drop_cache(0, 10'005);
  }
  auto file = files_->open(path("a")).value();
  std::string bytes(5, '\0');
  ASSERT_TRUE(file->read_at(0, bytes));
  EXPECT_EQ(bytes, "hello");
  ASSERT_TRUE(file->read_at(10'000, bytes));
  EXPECT_EQ(bytes, "world");
  ASSERT_TRUE(file->read_at(5'000, bytes));
  EXPECT_EQ(bytes, std::string(5, '\0'));
}

// What is in memory is the kernel's business: all, some or nothing.
TEST_F(PosixFileSystem, ReadsOfWhatIsInMemoryNoMoreThanThereIs) {
  Bytes contents(100'000, '\0');
  for (std::size_t i = 0; i != contents.size(); ++i) contents[i] = static_cast<char>(i % 251);
  ASSERT_TRUE(replace_file(*files_, path("a"), contents));
  const auto file = files_->open(path("a")).value();
  for (const std::size_t offset : {0UL, 5000UL, 99'990UL, 100'000UL, 200'000UL}) {
    Bytes bytes(10'000, '-');
    const std::size_t count = file->read_resident(offset, bytes);
    ASSERT_LE(count, offset < contents.size() ? contents.size() - offset : 0);
    EXPECT_EQ(bytes.substr(0, count), contents.substr(std::min(offset, contents.size()), count));
  }
}

TEST_F(PosixFileSystem, CreateEmptiesAFileThatExists) {
  ASSERT_TRUE(replace_file(*files_, path("a"), "old contents"));
  ASSERT_TRUE(files_->create(path("a")));
  EXPECT_EQ(read_file(*files_, path("a")).value(), "");
}

TEST_F(PosixFileSystem, ReadPastTheEndIsCorruptionThatNamesTheFile) {
  ASSERT_TRUE(replace_file(*files_, path("a"), "short"));
  auto file = files_->open(path("a")).value();
  std::string bytes(10, '\0');
  const Status status = file->read_at(0, bytes);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::corruption);
  EXPECT_THAT(status.error().message, HasSubstr(path("a") + " ends at offset 5"));
}

TEST_F(PosixFileSystem, ErrorsNameCallFileAndReason) {
  const auto file = files_->open(path("missing"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::io);
  EXPECT_EQ(file.error().message, "open " + path("missing") + ": No such file or directory");
}

TEST_F(PosixFileSystem, AFullDiskIsNoSpace) {
  auto file = files_->open("/dev/full");
  ASSERT_TRUE(file);
  auto device = files_->create("/dev/full");
  ASSERT_TRUE(device);
  const Status status = (*device)->write_at(0, "x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::no_space);
  EXPECT_EQ(status.error().message, "pwrite /dev/full: No space left on device");
}

TEST_F(PosixFileSystem, WritingThroughAMapIsWritingTheFile) {
  {
    auto file = files_->create_mapped(path("map"), 100'000).value();
    ASSERT_EQ(file->bytes().size(), 100'000u);
    EXPECT_EQ(file->bytes()[99'999], '\0');
    file->prefault(4'000, 50'000);
    BytesView{"mapped"}.copy(file->bytes().data() + 5'000, 6);
    ASSERT_TRUE(file->sync(5'000, 6));
  }
  EXPECT_EQ(read_file(*files_, path("map")).value().substr(5'000, 6), "mapped");
  auto again = files_->open_mapped(path("map")).value();
  ASSERT_EQ(again->bytes().size(), 100'000u);
  EXPECT_EQ((BytesView{again->bytes().data() + 5'000, 6}), "mapped");
}

TEST_F(PosixFileSystem, AMappedFileHasItsBlocks) {
  auto file = files_->create_mapped(path("map"), 1u << 20).value();
  EXPECT_EQ(std::filesystem::file_size(path("map")), 1u << 20);
  const std::uint64_t before = files_->free_bytes(folder_).value();
  for (char& byte : file->bytes()) byte = 'x';
  ASSERT_TRUE(file->sync(0, 1u << 20));
  EXPECT_LT(before - std::min(before, files_->free_bytes(folder_).value()), 64u << 20);
}

TEST_F(PosixFileSystem, ListsFilesOnlyAndSorted) {
  ASSERT_TRUE(files_->create_folder(path("one/two/three")));
  ASSERT_TRUE(files_->create_folder(path("one/two/three")));
  ASSERT_TRUE(files_->create(path("one/b")));
  ASSERT_TRUE(files_->create(path("one/a")));
  EXPECT_THAT(files_->list(path("one")).value(), ElementsAre("a", "b"));
  EXPECT_THAT(files_->list(path("one/two/three")).value(), IsEmpty());
  EXPECT_FALSE(files_->list(path("none")));
}

TEST_F(PosixFileSystem, AFileInTheWayOfAFolderIsAnError) {
  ASSERT_TRUE(files_->create(path("file")));
  EXPECT_FALSE(files_->create_folder(path("file")));
  EXPECT_FALSE(files_->create_folder(path("file/below")));
}

TEST_F(PosixFileSystem, RenamesAndRemoves) {
  ASSERT_TRUE(replace_file(*files_, path("a"), "new"));
  ASSERT_TRUE(replace_file(*files_, path("b"), "old"));
  ASSERT_TRUE(files_->rename(path("a"), path("b")));
  ASSERT_TRUE(files_->sync_folder(folder_));
  EXPECT_EQ(read_file(*files_, path("b")).value(), "new");
  EXPECT_FALSE(files_->exists(path("a")).value());
  ASSERT_TRUE(files_->remove(path("b")));
  EXPECT_FALSE(files_->exists(path("b")).value());
  EXPECT_FALSE(files_->remove(path("b")));
}

TEST_F(PosixFileSystem, ReplaceFileLeavesNothingElseBehind) {
  ASSERT_TRUE(replace_file(*files_, path("manifest"), "first"));
  ASSERT_TRUE(replace_file(*files_, path("manifest"), "second"));
  EXPECT_EQ(read_file(*files_, path("manifest")).value(), "second");
  EXPECT_THAT(files_->list(folder_).value(), ElementsAre("manifest"));
}

TEST_F(PosixFileSystem, OnlyOneHoldsTheLockAtATime) {
  auto lock = files_->lock(path("lock"));
  ASSERT_TRUE(lock);
  const auto second = make_posix_file_system()->lock(path("lock"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::locked);
  EXPECT_THAT(second.error().message, HasSubstr(path("lock")));
  lock->reset();
  EXPECT_TRUE(files_->lock(path("lock")));
}

}  // namespace
}  // namespace shale::engine
