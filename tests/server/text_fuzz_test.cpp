// The corpora of the fuzzers in tests/server/text_fuzz_body.h.
#include "tests/fuzz/corpus.h"
#include "tests/server/text_fuzz_body.h"

namespace shale::server {
namespace {

TEST(FuzzCorpora, Restore) { for_each_of_corpus("restore", fuzz::restore_once); }
TEST(FuzzCorpora, Config) { for_each_of_corpus("config", fuzz::configure_once); }
TEST(FuzzCorpora, AclRules) { for_each_of_corpus("acl_rules", fuzz::give_rules_once); }

}  // namespace
}  // namespace shale::server
