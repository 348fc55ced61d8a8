// The same commands to redis-server and to Shale, replies compared byte for byte, in both protocols. Skipped,
// with a message, where redis-server is not installed. A failure of the random part names its seed;
// SHALE_TEST_SEED repeats it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/commands_connection.h"
#include "tests/integration/redis_process.h"

namespace shale::integration {
namespace {

// Commands and errors whose replies do not depend on the version of Redis (7.0 to 7.4) nor on the clock. What
// is left out on purpose: HELLO's version, cursors of SCAN, DBSIZE while keys expire, notes of key
// specifications, the order of CONFIG GET.
constexpr std::string_view kLines[] = {
    "FLUSHALL",
    "SELECT abc",
    "SELECT 99999999999",
    "SELECT 16",
    "SELECT -1",
    "CLIENT foo",
    "CONFIG foo",
    "OBJECT foo",
    "CONFIG",
    "CLIENT",
    "SET a b EX",
    "SET a b EX 0",
    "SET a b EX abc",
    "SET a b EX 9223372036854775807",
    "SET a 1",
    "EXPIRE a 1 FOO",
    "EXPIRE a 1 NX XX",
    "EXPIRE a 1 GT LT",
    "EXPIRE a 1 NX GT",
    "EXPIRE a abc foo",
    "MSET a b c",
    "CLIENT LIST TYPE foo",
    "CLIENT LIST ID",
    "CLIENT LIST ID abc",
    "CLIENT LIST foo",
    "CLIENT LIST TYPE pubsub",
    "CLIENT LIST TYPE normal ID 1",
    "CLIENT KILL",
    "CLIENT KILL 1.2.3.4:55",
    "CLIENT KILL ID abc",
    "CLIENT KILL ID 0",
    "CLIENT KILL TYPE foo",
    "CLIENT KILL foo bar",
    "CLIENT KILL SKIPME maybe",
    "CLIENT KILL ADDR 1:1",
    "CLIENT KILL ID 99999999",
    "CLIENT KILL USER nobody",
    "CLIENT KILL TYPE normal SKIPME",
    "CLIENT REPLY foo",
    "CLIENT NO-EVICT foo",
    "CLIENT NO-EVICT on",
    "CLIENT SETNAME",
    "CLIENT SETNAME \"a b\"",
    "CLIENT SETNAME ab",
    "CLIENT GETNAME",
    "CLIENT SETNAME \"\"",
    "CLIENT GETNAME",
    "HELLO 4",
    "HELLO abc",
    "HELLO 3 foo",
    "HELLO 3 AUTH a",
    "HELLO 3 SETNAME \"a b\"",
    "HELLO 5 AUTH a b",
    "AUTH a",
    "AUTH a b",
    "AUTH default b",
    "AUTH a b c",
    "FLUSHALL foo",
    "FLUSHALL ASYNC SYNC",
    "FLUSHDB ASYNC",
    "SHUTDOWN foo",
    "SHUTDOWN ABORT",
    "SHUTDOWN SAVE NOSAVE",
    "SHUTDOWN ABORT NOW",
    "WAIT 0 a",
    "WAIT a 10",
    "WAIT 0 -1",
    "WAIT 0 99999999999999999999",
    "WAIT -1 0",
    "MEMORY USAGE a SAMPLES",
    "MEMORY USAGE a SAMPLES -1",
    "MEMORY USAGE a SAMPLES x",
    "MEMORY USAGE a foo 1",
    "MEMORY USAGE nokey",
    "MEMORY USAGE nokey SAMPLES 0",
    "OBJECT FREQ nokey",
    "OBJECT ENCODING nokey",
    "SET n 12345",
    "OBJECT ENCODING n",
    "OBJECT FREQ n",
    "SET n abc",
    "OBJECT ENCODING n",
    "SET n xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "OBJECT ENCODING n",
    "SET n xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "OBJECT ENCODING n",
    "OBJECT HELP x",
    "READONLY",
    "READWRITE",
    "ASKING",
    "CLUSTER INFO",
    "CLUSTER",
    "CLUSTER SLOTS",
    "CLUSTER SLOTS x",
    "CLUSTER nosuch",
    "CLUSTER KEYSLOT a",
    "SLOWLOG",
    "SLOWLOG nosuch",
    "SLOWLOG GET x",
    "SLOWLOG GET -2",
    "SLOWLOG GET 1 2",
    "SLOWLOG RESET",
    "SLOWLOG LEN",
    "SLOWLOG GET",
    "LATENCY nosuch",
    "LATENCY LATEST",
    "LATENCY HISTORY nosuch",
    "LATENCY GRAPH nosuch",
    "LATENCY RESET",
    "LATENCY RESET nosuch",
    "LATENCY HISTOGRAM nosuch",
    "LATENCY HELP x",
    "MEMORY nosuch",
    "MEMORY STATS x",
    "MODULE LIST",
    "MODULE nosuch",
    "REPLICAOF NO ONE",
    "SLAVEOF no one",
    "REPLICAOF a b",
    "FAILOVER",
    "FAILOVER ABORT",
    "FAILOVER TO a",
    "LOLWUT VERSION x",
    "CONFIG REWRITE",
    "CONFIG REWRITE x",
    "DEBUG nosuch",
    "DEBUG ERROR \"ERR a text\"",
    "DEBUG ERROR \"CODE a text\"",
    "DEBUG PROTOCOL nosuch",
    "DEBUG PROTOCOL string",
    "DEBUG PROTOCOL integer",
    "DEBUG PROTOCOL double",
    "DEBUG PROTOCOL bignum",
    "DEBUG PROTOCOL null",
    "DEBUG PROTOCOL array",
    "DEBUG PROTOCOL set",
    "DEBUG PROTOCOL map",
    "DEBUG PROTOCOL verbatim",
    "DEBUG PROTOCOL true",
    "DEBUG PROTOCOL false",
    "SENTINEL masters",
    "SCAN a",
    "SCAN 0 foo",
    "SCAN 0 COUNT 0",
    "SCAN 0 COUNT a",
    "SCAN 0 MATCH",
    "SCAN 18446744073709551616",
    "SCAN 0 TYPE string",
    "SCAN 0 TYPE foo",
    "SCAN 0 MATCH n*",
    "SCAN \" 1\"",
    "COMMAND foo",
    "COMMAND GETKEYS",
    "COMMAND GETKEYS foo bar",
    "COMMAND GETKEYS PING a b",
    "COMMAND GETKEYS SET a b",
    "COMMAND GETKEYS MSET a 1 b 2",
    "COMMAND GETKEYS MSET a",
    "COMMAND GETKEYS OBJECT ENCODING x",
    "COMMAND GETKEYS OBJECT HELP",
    "COMMAND GETKEYSANDFLAGS SET a b GET",
    "COMMAND GETKEYSANDFLAGS SET a b",
    "COMMAND GETKEYSANDFLAGS MSET a b c d",
    "COMMAND GETKEYSANDFLAGS DEL a",
    "COMMAND LIST foo",
    "COMMAND LIST FILTERBY ACLCAT",
    "COMMAND LIST FILTERBY ACLCAT nosuch",
    "COMMAND LIST FILTERBY foo bar",
    "COMMAND LIST FILTERBY MODULE foo",
    "COMMAND COUNT a",
    "COMMAND INFO nosuch CONFIG|nosuch",
    "COMMAND INFO get del mget mset incr incrby append strlen exists touch unlink type scan dbsize",
    "COMMAND INFO expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist decr decrby",
    "COMMAND INFO incrbyfloat getrange substr setrange getset getdel setnx setex psetex",
    "COMMAND INFO echo select auth hello reset time lastsave role info flushdb flushall readonly readwrite",
    "COMMAND INFO asking shutdown debug ping CONFIG|GET CONFIG|SET CONFIG|HELP",
    "COMMAND INFO CLIENT|ID CLIENT|INFO CLIENT|LIST CLIENT|KILL CLIENT|GETNAME CLIENT|REPLY CLIENT|NO-EVICT",
    "COMMAND INFO COMMAND|INFO COMMAND|DOCS COMMAND|COUNT COMMAND|LIST OBJECT|ENCODING OBJECT|FREQ",
    "COMMAND INFO MEMORY|USAGE MEMORY|HELP",
    "COMMAND DOCS nosuch",
    "CONFIG GET",
    "CONFIG SET a",
    "CONFIG SET a b",
    "CONFIG SET maxclients 100 maxclients 100",
    "CONFIG RESETSTAT a",
    "CONFIG GET nosuchoption",
    "CONFIG GET MAXMEMORY",
    "CONFIG GET save",
    "CONFIG GET appendfsync",
    "CONFIG GET databases",
    "ROLE",
    "PING a b",
    "PING a",
    "PING",
    "ECHO",
    "INFO nosuch",
    "TIME x",
    "DBSIZE x",
    "GETRANGE n a 0",
    "GETRANGE n 0 -100",
    "GETRANGE n -1 -5",
    "SETRANGE n -1 ab",
    "SETRANGE n 536870912 ab",
    "SETRANGE nokey 536870912 \"\"",
    "GETEX nokey EX abc",
    "GETEX n EX 0",
    "GETEX n EX",
    "GETEX n EX 10 PX 10",
    "SET n 5 KEEPTTL EX 10",
    "SET n 5 EX 10 EX 20",
    "SET n 5 NX XX",
    "SET n 5 GET GET NX",
    "INCRBY n 9223372036854775807",
    "DECRBY n -9223372036854775808",
    "SET n a EXAT 1",
    "EXISTS n",
    "EXPIRE n 9223372036854775",
    "EXPIRE nokey 9223372036854776",
    "PEXPIRE n 9223372036854775807",
    "EXPIREAT n 9223372036854775807",
    "EXPIRE n -9223372036854775808",
    "FLUSHALL",
    "SET s foobar",
    "SET o abc",
    "SETBIT s -1 1",
    "SETBIT s 4294967296 1",
    "SETBIT s abc 1",
    "SETBIT s 1 2",
    "SETBIT s 1 -1",
    "SETBIT s 1 a",
    "SETBIT s 1",
    "GETBIT s -1",
    "GETBIT s 4294967296",
    "GETBIT s 1 1",
    "GETBIT s 4294967295",
    "GETBIT nokey 100",
    "SETBIT bits 9 0",
    "GET bits",
    "BITCOUNT s 0",
    "BITCOUNT s 0 a",
    "BITCOUNT s a 0",
    "BITCOUNT s 0 1 FOO",
    "BITCOUNT s 0 1 BIT BIT",
    "BITCOUNT s 5 30 bit",
    "BITCOUNT s -3 -1 BYTE",
    "BITCOUNT s -1 -3",
    "BITCOUNT s 0 9223372036854775807",
    "BITCOUNT s -9223372036854775808 -1 BIT",
    "BITCOUNT nokey",
    "BITCOUNT nokey 0 -1",
    "BITPOS s 2",
    "BITPOS s a",
    "BITPOS s 1 a",
    "BITPOS s 1 0 a",
    "BITPOS s 1 0 1 FOO",
    "BITPOS s 1 0 1 BIT BIT",
    "BITPOS s 1 a 1 FOO",
    "BITPOS s 0 a b FOO",
    "BITPOS s 0 0 b FOO",
    "BITPOS s 0 0 b BIT",
    "BITPOS nokey 1",
    "BITPOS nokey 0",
    "SET ones \xff\xff\xff",
    "BITPOS ones 0",
    "BITPOS ones 0 1",
    "BITPOS ones 0 0 -1",
    "BITPOS ones 0 0 5",
    "BITPOS ones 0 4",
    "BITPOS ones 1 4",
    "BITPOS ones 0 0 7 BIT",
    "BITPOS ones 1 7 100 BIT",
    "SET empty \"\"",
    "BITPOS empty 0",
    "BITPOS empty 1",
    "BITPOS empty 0 0",
    "BITOP FOO d s",
    "BITOP NOT d s o",
    "BITOP AND d",
    "BITOP NOT d s",
    "GET d",
    "BITOP xor d s o nokey",
    "GET d",
    "BITOP AND d s o",
    "GET d",
    "BITOP OR d nokey nokey2",
    "EXISTS d",
    "BITOP NOT s s",
    "GET s",
    "BITFIELD",
    "BITFIELD f",
    "BITFIELD f GET u64 0",
    "BITFIELD f GET i65 0",
    "BITFIELD f GET u0 0",
    "BITFIELD f GET U8 0",
    "BITFIELD f GET u8 -1",
    "BITFIELD f GET u8 #-1",
    "BITFIELD f GET u8",
    "BITFIELD f SET u8 0",
    "BITFIELD f SET u8 0 a",
    "BITFIELD f FOO",
    "BITFIELD f OVERFLOW FOO",
    "BITFIELD f OVERFLOW FOO GET u8 0",
    "BITFIELD f OVERFLOW",
    "BITFIELD f OVERFLOW SAT",
    "BITFIELD f GET u8 4294967295 GET i64 #100",
    "EXISTS f",
    "BITFIELD f OVERFLOW FAIL SET u1 17 2",
    "STRLEN f",
    "BITFIELD f SET u8 #0 255 GET i8 0 INCRBY u2 0 1 OVERFLOW SAT INCRBY i8 0 100 INCRBY i8 0 100",
    "BITFIELD f SET i64 3 -9223372036854775808 INCRBY i64 3 -1 SET u63 100 9223372036854775807 INCRBY u63 "
    "100 1",
    "GET f",
    "BITFIELD_RO f SET u8 0 1",
    "BITFIELD_RO f OVERFLOW WRAP GET u8 0 GET i5 3",
    "BITFIELD_RO nokey GET u8 0",
    "PFADD",
    "PFADD h",
    "GET h",
    "PFADD h",
    "PFADD h a b c",
    "PFADD h a b c",
    "GET h",
    "PFCOUNT h",
    "GET h",
    "PFADD h \"\"",
    "PFDEBUG DECODE h",
    "PFDEBUG ENCODING h",
    "PFDEBUG GETREG h",
    "PFDEBUG DECODE h",
    "PFDEBUG TODENSE h",
    "PFDEBUG FOO h",
    "PFDEBUG FOO",
    "PFDEBUG FOO nokey",
    "PFCOUNT nokey",
    "PFCOUNT nokey h",
    "PFMERGE m",
    "GET m",
    "PFMERGE m h nokey",
    "GET m",
    "PFADD s a",
    "PFCOUNT s",
    "PFCOUNT h s",
    "PFMERGE m s",
    "RENAME nokey x",
    "RENAME nokey nokey",
    "RENAME o o",
    "RENAMENX o o",
    "RENAMENX o s",
    "RENAMENX nokey s",
    "EXPIRE o 1000000",
    "RENAME o p",
    "TTL p",
    "RENAMENX p o",
    "MOVE o a",
    "MOVE o 16",
    "MOVE o -1",
    "MOVE o 0",
    "MOVE o 99999999999",
    "MOVE nokey 1",
    "MOVE o 1",
    "EXISTS o",
    "SET o new",
    "MOVE o 1",
    "COPY o",
    "COPY o o",
    "COPY o o2 foo",
    "COPY o o2 DB",
    "COPY o o2 DB a",
    "COPY o o2 DB 16",
    "COPY o o2 DB 16 foo",
    "COPY o o2 foo DB 16",
    "COPY o o2 DB 99999999999",
    "COPY nokey o2",
    "COPY o o2",
    "COPY o s",
    "COPY o s REPLACE",
    "GET s",
    "COPY o o DB 1",
    "COPY o o DB 1 REPLACE",
    "COPY o o DB 0",
    "COPY o o3 DB 1 DB 2",
    "SWAPDB",
    "SWAPDB a 1",
    "SWAPDB 1 a",
    "SWAPDB a b",
    "SWAPDB 0 16",
    "SWAPDB -1 0",
    "SWAPDB 0 99999999999",
    "SWAPDB 0 0",
    "SWAPDB 0 1",
    "GET o",
    "TTL o",
    "DBSIZE",
    "SWAPDB 1 0",
    "DBSIZE",
    "SELECT 2",
    "GET o3",
    "RANDOMKEY",
    "KEYS *",
    "SELECT 3",
    "RANDOMKEY",
    "KEYS *",
    "RANDOMKEY a",
    "KEYS",
    "SELECT 0",
    "KEYS o",
    "KEYS h?llo",
    "OBJECT REFCOUNT nokey",
    "OBJECT IDLETIME nokey",
    "OBJECT REFCOUNT",
    "SET big abcdefghijklmnopqrstuvwxyz",
    "OBJECT REFCOUNT big",
    "LCS big",
    "LCS big nokey",
    "LCS nokey nokey LEN",
    "LCS big o LEN IDX",
    "LCS big o FOO",
    "LCS big o MINMATCHLEN",
    "LCS big o MINMATCHLEN a",
    "SET rhyme1 ohmytext",
    "SET rhyme2 mynewtext",
    "LCS rhyme1 rhyme2",
    "LCS rhyme1 rhyme2 LEN",
    "LCS rhyme1 rhyme2 IDX",
    "LCS rhyme1 rhyme2 IDX MINMATCHLEN 4",
    "LCS rhyme1 rhyme2 IDX MINMATCHLEN -4 WITHMATCHLEN",
    "LCS rhyme1 rhyme1 IDX WITHMATCHLEN",
    "DUMP nokey",
    "DUMP",
    "RESTORE x 0",
    "RESTORE x 0 foo",
    "RESTORE x -1 foo",
    "RESTORE x a foo",
    "RESTORE o a foo",
    "RESTORE x 0 foo BAR",
    "RESTORE x 0 foo IDLETIME",
    "RESTORE x 0 foo IDLETIME a",
    "RESTORE x 0 foo IDLETIME -1",
    "RESTORE x 0 foo FREQ 256",
    "RESTORE x 0 foo FREQ -1",
    "RESTORE x 0 foo FREQ 1 IDLETIME 1",
    "RESTORE x 0 foo IDLETIME 1 FREQ 1",
    "SORT nokey",
    "SORT nokey FOO",
    "SORT nokey LIMIT 0",
    "SORT nokey LIMIT a 0",
    "SORT nokey LIMIT 0 a BY",
    "SORT nokey BY",
    "SORT nokey BY w_* GET # GET o_* LIMIT 0 10 DESC ALPHA ASC",
    "SORT o",
    "SORT o FOO",
    "SORT nokey STORE o2",
    "EXISTS o2",
    "SORT nokey STORE o2",
    "SORT nokey STORE",
    "SORT_RO nokey STORE o",
    "SORT_RO nokey BY a",
    "SORT_RO o",
    "COMMAND GETKEYS BITOP AND d a b",
    "COMMAND GETKEYS SORT a BY x STORE b",
    "COMMAND GETKEYS SORT a BY STORE",
    "COMMAND GETKEYS COPY a b DB 1",
    "COMMAND GETKEYS MOVE a 1",
    "COMMAND GETKEYS SWAPDB 0 1",
    "COMMAND GETKEYSANDFLAGS RENAME a b",
    "COMMAND GETKEYSANDFLAGS BITOP AND d a b",
    "COMMAND GETKEYSANDFLAGS PFMERGE d a",
    "COMMAND GETKEYSANDFLAGS SORT a STORE b",
    "COMMAND GETKEYSANDFLAGS COPY a b DB 1",
    "COMMAND GETKEYSANDFLAGS BITFIELD a GET u8 0",
    "COMMAND GETKEYSANDFLAGS BITFIELD a SET u8 0 1",
    "COMMAND INFO bitcount bitop bitpos getbit setbit bitfield_ro pfadd pfdebug pfmerge pfselftest lcs",
    "COMMAND INFO dump restore keys randomkey rename renamenx copy move OBJECT|IDLETIME "
    "OBJECT|REFCOUNT",
    "FLUSHALL",
    "CLIENT|ID",
    "CLIENT \"\"",
    "\"\"",
    "foo "
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    "bbb c",
};

// The EXPIRE family, and what else gives a key an expiry or takes it: all options, limits, and what is kept.
constexpr std::string_view kExpiryLines[] = {
    "FLUSHALL",
    "SET a 1",
    "EXPIRE a 100",
    "EXPIRE a 100 NX",
    "EXPIRE a 100 nx xx",
    "EXPIRE a 100 GT XX",
    "EXPIRE a 200 XX GT",
    "EXPIRE a 100 XX LT",
    "EXPIRE a 100 gt lt",
    "EXPIRE a 100 NX LT",
    "EXPIRE a 100 NX NX",
    "EXPIRE a",
    "EXPIRE a 1 2 3",
    "EXPIRE a 1.5",
    "EXPIRE a 9223372036854775807",
    "EXPIRE a -9223372036854775808",
    "EXPIRE a 9223372036854775",
    "EXPIRE a 9223372036854776",
    "EXPIRE a 9223372036854774",
    "PEXPIRE a 9223372036854775807",
    "PEXPIRE a 9223372036854775808",
    "PEXPIRE a -9223372036854775808",
    "EXPIREAT a 9223372036854775807",
    "EXPIREAT a 9223372036854775",
    "EXPIREAT a -9223372036854775",
    "EXPIREAT a -9223372036854775808",
    "SET a 1",
    "PEXPIREAT a 9223372036854775807",
    "PEXPIRETIME a",
    "EXPIRETIME a",
    "PEXPIREAT a -1",
    "EXISTS a",
    "SET a 1",
    "PEXPIREAT a 0",
    "EXISTS a",
    "SET a 1",
    "EXPIREAT a 0",
    "EXISTS a",
    "SET a 1",
    "EXPIRE a 0",
    "EXISTS a",
    "SET a 1",
    "EXPIRE a -1",
    "EXISTS a",
    "SET a 1",
    "EXPIRE a 0 GT",
    "EXISTS a",
    "EXPIRE a 0 XX",
    "EXISTS a",
    "EXPIRE a 0 LT",
    "EXISTS a",
    "SET a 1",
    "EXPIREAT a 4000000000",
    "EXPIRETIME a",
    "PEXPIRETIME a",
    "EXPIREAT a 4000000000 GT",
    "EXPIREAT a 4000000000 LT",
    "EXPIREAT a 4000000001 GT",
    "EXPIREAT a 4000000000 LT",
    "PEXPIREAT a 4000000000400",
    "EXPIRETIME a",
    "PEXPIREAT a 4000000000500",
    "EXPIRETIME a",
    "PEXPIREAT a 4000000000600",
    "EXPIRETIME a",
    "PERSIST a",
    "PERSIST a",
    "PERSIST nosuch",
    "TTL a",
    "PTTL a",
    "EXPIRETIME a",
    "PEXPIRETIME a",
    "TTL nosuch",
    "PTTL nosuch",
    "EXPIRETIME nosuch",
    "PEXPIRETIME nosuch",
    "EXPIRE nosuch 10",
    "EXPIRE nosuch abc",
    "EXPIRE nosuch 10 FOO",
    "EXPIRE nosuch 9223372036854775807",
    "TTL",
    "TTL a b",
    "PERSIST",
    "EXPIRETIME a b",
    "SET a 1 EX 100 KEEPTTL",
    "SET a 1 KEEPTTL EX 100",
    "SET a 1 PX 0",
    "SET a 1 PX -1",
    "SET a 1 EXAT 0",
    "SET a 1 PXAT -5",
    "SET a 1 EXAT 1",
    "EXISTS a",
    "SET a 1 PXAT 1",
    "EXISTS a",
    "SET a 1 EXAT 4000000000",
    "EXPIRETIME a",
    "SET a 2 KEEPTTL",
    "EXPIRETIME a",
    "SET a 3",
    "EXPIRETIME a",
    "SET a 3 EX 9223372036854775",
    "SET a 3 PX 9223372036854775807",
    "SET a 3 EXAT 9223372036854776",
    "SET a 3 PXAT 9223372036854775807",
    "PEXPIRETIME a",
    "GETEX a",
    "GETEX a EX 0",
    "GETEX a PX -1",
    "GETEX a EX abc",
    "GETEX a FOO",
    "GETEX a EX",
    "GETEX a EX 10 PERSIST",
    "GETEX a PERSIST EX 10",
    "GETEX a EXAT 4000000000",
    "EXPIRETIME a",
    "GETEX a PERSIST",
    "EXPIRETIME a",
    "GETEX a PXAT 4000000000123",
    "PEXPIRETIME a",
    "GETEX a PXAT 1",
    "EXISTS a",
    "GETEX nosuch EX 10",
    "GETEX nosuch EX 0",
    "SETEX a 0 b",
    "SETEX a -1 b",
    "SETEX a abc b",
    "SETEX a 9223372036854775807 b",
    "PSETEX a 0 b",
    "PSETEX a 9223372036854775807 b",
    "PSETEX a 100000 b",
    "APPEND a c",
    "EXPIREAT a 4000000000",
    "APPEND a d",
    "EXPIRETIME a",
    "SET n 5 EXAT 4000000000",
    "INCR n",
    "EXPIRETIME n",
    "SETRANGE n 0 7",
    "EXPIRETIME n",
    "GETSET n 5",
    "EXPIRETIME n",
    "MSET n 6",
    "EXPIREAT n 4000000000",
    "MSET n 7",
    "EXPIRETIME n",
    "SET n 1 NX EX 10",
    "SET n 1 XX EXAT 4000000000",
    "SET n 1 GET KEEPTTL",
    "EXPIRETIME n",
    "GETDEL n",
    "TTL n",
};

// Times that the two servers may see a little apart are compared without their last digits.
std::string without_clock(const Words& words, std::string reply) {
  const std::string_view name = words[0];
  const std::int64_t unit = name == "TTL" || name == "EXPIRETIME"     ? 10
                            : name == "PTTL" || name == "PEXPIRETIME" ? 10'000
                                                                      : 1;
  std::int64_t value = 0;
  if (unit == 1 || reply.empty() || reply[0] != ':') return reply;
  std::from_chars(reply.data() + 1, reply.data() + reply.size(), value);
  return value > 0 ? fmt::format(":about {} x {}", value / unit + (value % unit >= unit / 2), unit) : reply;
}

// Where Redis ends a scan with one page, Shale may need several: it does not wait for what is not in memory
// as long as it has come further. All of them as one reply.
std::string whole_scan(CommandConnection& connection, Words words) {
  constexpr std::string_view kPage = "*2\r\n";
  std::size_t count = 0;
  std::string keys;
  for (;;) {
    const std::string reply = connection.run(words);
    if (!reply.starts_with(kPage)) return reply;  // an error
    const std::size_t cursor_begin = reply.find('\n', kPage.size()) + 1;
    const std::size_t cursor_end = reply.find('\r', cursor_begin);
    const std::size_t count_begin = cursor_end + std::string_view{"\r\n*"}.size();
    const std::size_t keys_begin = reply.find('\n', count_begin) + 1;
    count += std::stoul(reply.substr(count_begin));
    keys += reply.substr(keys_begin);
    words[1] = reply.substr(cursor_begin, cursor_end - cursor_begin);
    if (words[1] == "0") return fmt::format("*2\r\n$1\r\n0\r\n*{}\r\n{}", count, keys);
  }
}

std::string text_of(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += fmt::format("{:?} ", word);
  return text;
}

// Keys in Redis's order of the moment, as in ours; RANDOMKEY's key is any.
std::string without_order(const Words& words, std::string reply) {
  if (words[0] == "RANDOMKEY" && reply.starts_with("$") && !reply.starts_with("$-")) return "some key";
  if (words[0] != "KEYS" || !reply.starts_with("*")) return reply;
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < reply.size();) {
    const std::size_t end = reply.find("\r\n", begin);
    const std::size_t next = lines.empty() ? end + 2 : reply.find("\r\n", end + 2) + 2;
    lines.push_back(reply.substr(begin, next - begin));
    begin = next;
  }
  std::ranges::sort(lines);
  return fmt::format("{}", fmt::join(lines, ""));
}

// As before, line by line in one go, since in a transaction an ECHO is queued as well.
constexpr std::string_view kTransactions[] = {
    "MULTI\nMULTI\nWATCH a\nSET t1 1\nGET t1\nINCR t1\nEXEC\nEXEC\nDISCARD",
    "MULTI foo\nEXEC foo\nWATCH\nUNWATCH\nUNWATCH foo\nDISCARD foo",
    "SET t1 1\nWATCH t1 t1 nokey\nMULTI\nGET t1\nUNWATCH\nEXEC",
    "WATCH t1\nSET t1 5\nMULTI\nPING\nEXEC\nMULTI\nDISCARD\nGET t1",
    "MULTI\nNONSENSE a\nSET t1 7\nEXEC\nGET t1\nMULTI\nGET\nEXEC",
    "MULTI\nSHUTDOWN\nEXEC\nMULTI\nEXEC foo\nEXEC\nPING",
    "MULTI\nSET t1 abc\nINCR t1\nAPPEND t1 d\nGET t1\nEXEC\nMULTI\nEXEC",
    "MULTI\nSELECT 1\nSET t1 one\nSELECT 0\nGET t1\nSELECT 99\nEXEC\nSELECT 1\nGET t1\nDEL t1\nSELECT 0",
    "MULTI\nDEL t1\nEXISTS t1\nSET t1 x NX\nSET t1 y NX\nMGET t1 t1 nokey\nTTL t1\nPEXPIRE t1 "
    "1000000\nPERSIST t1\nEXEC",
    "MULTI\nFLUSHDB\nDBSIZE\nSET t1 1\nDBSIZE\nEXISTS a t1\nFLUSHALL foo\nEXEC",
    "MULTI\nWAIT 0 0\nECHO x\nCLIENT GETNAME\nCLIENT SETNAME me\nCLIENT GETNAME\nGET nokey\nEXEC\nCLIENT "
    "SETNAME \"\"",
    "SET t1 1\nWATCH t1\nFLUSHALL\nMULTI\nPING\nEXEC\nWATCH t1\nFLUSHALL\nMULTI\nPING\nEXEC",
    "MULTI\nSET t1 1\nWATCH t1\nMULTI\nEXEC\nDBSIZE\nMULTI\nSET t1 2\nDISCARD\nGET t1",
    "SET t1 1\nWATCH t1\nDEL nokey\nGET t1\nMULTI\nPING\nEXEC\nWATCH t1\nEXPIRE t1 100\nMULTI\nPING\nEXEC",
    "WATCH t1\nSELECT 1\nSET t1 1\nSELECT 0\nMULTI\nPING\nEXEC\nSELECT 1\nFLUSHDB\nSELECT 0",
    "MULTI\nSET t1 1\nRESET\nGET t1\nEXEC",
};

class CommandDifferential : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed: nothing to compare with";
    seed_of_this_run();
    shale_.emplace();
    redis_.emplace();
    to_shale_ = std::make_unique<CommandConnection>(shale_->port());
    to_redis_ = std::make_unique<CommandConnection>(redis_->port());
    const std::string hello = fmt::format("HELLO {}", GetParam());
    to_shale_->run(hello);
    to_redis_->run(hello);
  }
  bool same(const Words& words) {
    const std::string of_redis = without_order(words, without_clock(words, to_redis_->run(words)));
    const bool scans = words[0] == "SCAN" && words.size() > 1;
    const std::string of_shale = scans ? whole_scan(*to_shale_, words)
                                       : without_order(words, without_clock(words, to_shale_->run(words)));
    EXPECT_EQ(of_shale, of_redis) << text_of(words);
    return of_shale == of_redis;
  }

  std::optional<ServerProcess> shale_;
  std::optional<RedisProcess> redis_;
  std::unique_ptr<CommandConnection> to_shale_;
  std::unique_ptr<CommandConnection> to_redis_;
};
INSTANTIATE_TEST_SUITE_P(Resp, CommandDifferential, ::testing::Values(2, 3));

TEST_P(CommandDifferential, EveryLineGetsRedissReply) {
  for (const std::string_view line : kLines) same(split_words(line));
  // HyperLogLogs that are none: of a run too few, and of an encoding that is not known.
  same({"SET", "broken", std::string("HYLL\1\0\0\0\0\0\0\0\0\0\0\x80\x7f", 17)});
  for (const char* line : {"PFCOUNT broken", "PFMERGE m broken", "PFDEBUG GETREG broken"})
    same(split_words(line));
  same({"SET", "broken", std::string("HYLL\2\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff", 18)});
  for (const char* line : {"PFCOUNT broken", "PFADD broken a"}) same(split_words(line));
  same({"ECHO", std::string("a\0\r\n\xff", 5)});
  same({"a\nb", "c\r\nd"});
  same({std::string(300, 'x')});
  same({"CLIENT", std::string(300, 'x')});
}

TEST_P(CommandDifferential, EveryExpiryGetsRedissReply) {
  for (const std::string_view line : kExpiryLines) same(split_words(line));
}

TEST_P(CommandDifferential, TransactionsGetRedissReplies) {
  for (std::string_view script : kTransactions) {
    SCOPED_TRACE(script);
    std::vector<Words> commands;
    while (!script.empty()) {
      const std::size_t end = std::min(script.find('\n'), script.size());
      commands.push_back(split_words(script.substr(0, end)));
      script.remove_prefix(std::min(end + 1, script.size()));
    }
    EXPECT_EQ(to_shale_->run_all(commands), to_redis_->run_all(commands));
  }
}

// Draws commands over a few keys, so that they meet; expiries are far away or past, so that the clock does
// not matter.
class RandomCommands {
 public:
  explicit RandomCommands(std::uint64_t seed) : random_(seed) {}

  Words next() {
    switch (below(45)) {
      case 0: return {"GET", key()};
      case 1: return options({"SET", key(), value()}, kSetWords, 3);
      case 2: return options({"SET", key(), value()}, kSetConditions, 2);
      case 3: return with_keys(pick({"DEL", "UNLINK", "EXISTS", "TOUCH"}), 4);
      case 4: return with_keys("MGET", 20);
      case 5: return with_pairs("MSET", 15);
      case 6: return with_pairs("MSETNX", 3);
      case 7: return {pick({"INCR", "DECR", "TYPE", "STRLEN", "GETDEL", "PERSIST"}), key()};
      case 8: return {pick({"INCRBY", "DECRBY"}), key(), number()};
      case 9:
        return {"INCRBYFLOAT", key(), pick({"0.1", "-3.25", "1e5", "nan", "0x1p3", "1", "abc", "1e400"})};
      case 10: return {"APPEND", key(), value()};
      case 11: return {pick({"SETNX", "GETSET"}), key(), value()};
      case 12: return {pick({"SETEX", "PSETEX"}), key(), duration(), value()};
      case 13: return options({"GETEX", key()}, kGetexWords, 2);
      case 14: return {pick({"GETRANGE", "SUBSTR"}), key(), number(), number()};
      case 15: return {"SETRANGE", key(), pick({"0", "1", "5", "20", "-1", "abc"}), value()};
      case 16: return options({pick({"EXPIRE", "PEXPIRE"}), key(), duration()}, kClocklessConditions, 2);
      case 17:
        return options({"EXPIREAT", key(), pick({"0", "1", "5000000000", "6000000000"})}, kConditions, 1);
      case 18: return options({"PEXPIREAT", key(), pick({"-1", "5000000000123"})}, kConditions, 1);
      case 19: return {pick({"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"}), key()};
      case 20: return {"SELECT", pick({"0", "1", "15", "16", "-1", "abc"})};
      case 21: return {below(20) == 0 ? "FLUSHDB" : "PING"};
      case 22: return {pick({"GET", "SET", "MSET", "DEL", "EXPIRE", "SCAN", "CLIENT", "CONFIG", "OBJECT"})};
      case 23: return {"SETBIT", key(), bit_offset(), pick({"0", "1", "1", "2", "a"})};
      case 24: return {"GETBIT", key(), bit_offset()};
      case 25: return bit_range({"BITCOUNT", key()});
      case 26: return bit_range({"BITPOS", key(), pick({"0", "1"})});
      case 27: return with_keys_of({"BITOP", pick({"AND", "or", "XOR"}), key()}, 4);
      case 28: return {"BITOP", "NOT", key(), key()};
      case 29: return bitfield("BITFIELD");
      case 30: return bitfield("BITFIELD_RO");
      case 31:
      case 32: return elements({"PFADD", sketch()});
      case 33: return {"PFCOUNT", sketch()};
      case 34: return {"PFCOUNT", sketch(), sketch(), sketch()};
      case 35: return {"PFMERGE", sketch(), sketch(), sketch()};
      case 36: return {pick({"GET", "PFCOUNT", "GET", "DEL"}), sketch()};
      case 37: return {"PFDEBUG", pick({"DECODE", "ENCODING", "GETREG", "TODENSE"}), sketch()};
      case 38: return options({"COPY", key(), key()}, {"REPLACE", "DB", "foo"}, 2);
      case 39: return {pick({"RENAME", "RENAMENX"}), key(), key()};
      case 40: return {"MOVE", key(), pick({"0", "1", "15", "16", "abc"})};
      case 41: return options({"LCS", key(), key()}, {"IDX", "LEN", "WITHMATCHLEN", "foo"}, 2);
      case 42: return {pick({"RANDOMKEY", "PING"})};
      case 43: return {pick({"SORT", "SORT_RO", "KEYS", "SWAPDB"}), key()};
      default: return {"MSET", key(), value(), key()};
    }
  }

 private:
  using Choices = std::vector<std::string>;
  inline static const Choices kSetConditions{"NX", "XX", "GET", "KEEPTTL"};
  inline static const Choices kSetWords{"NX", "xx", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "foo"};
  inline static const Choices kGetexWords{"PERSIST", "EX", "PX", "EXAT", "PXAT", "foo"};
  // Whether a time from now is greater than another depends on the millisecond.
  inline static const Choices kClocklessConditions{"NX", "XX", "foo"};
  inline static const Choices kConditions{"NX", "XX", "GT", "LT", "foo"};

  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string pick(const Choices& choices) { return choices[below(choices.size())]; }
  std::string key() { return pick({"k0", "k1", "k2", "k3", "{t}a", "{t}b", ""}); }
  std::string value() {
    return pick({"", "0", "1", "-1", "10", "abc", "9223372036854775807", "-9223372036854775807", "3.5", "1e3",
                 " 1", "+1", "01", std::string(50, 'x'), "-0", "nan", "0x10"});
  }
  std::string number() {
    return pick({"0", "1", "-1", "5", "100", "9223372036854775807", "-9223372036854775808", "abc", "", " 1",
                 "1.5", "10000000000"});
  }
  std::string duration() {
    return pick(
        {"0", "-1", "100000000", "abc", "9223372036854775807", "9223372036854775", "", " 1", "99999999999"});
  }
  Words options(Words words, const Choices& choices, std::size_t most) {
    for (std::size_t left = below(most + 1); left > 0; --left) {
      words.push_back(pick(choices));
      const std::string& option = words.back();
      if (option == "DB" && below(10) != 0) words.push_back(pick({"0", "1", "15", "16", "abc"}));
      if (option == "EX" || option == "PX" || option == "EXAT" || option == "PXAT") {
        if (below(10) != 0) words.push_back(duration());
      }
    }
    return words;
  }
  std::string sketch() { return pick({"h0", "h1", "h2", "h3", "{t}h", "k0"}); }
  std::string bit_offset() {
    return pick({"0", "1", "7", "8", "31", "100", "399", "-1", "abc", "4294967296"});
  }
  // Only numbers: with others and without the key, Redis 7.0 does not look at them, 7.2 does.
  Words bit_range(Words words) {
    const auto place = [&] {
      return pick({"0", "1", "-1", "3", "-3", "10", "100", "-100", "9223372036854775807"});
    };
    if (below(4) == 0) return words;
    words.insert(words.end(), {place(), place()});
    if (below(2) == 0) words.push_back(pick({"BIT", "BYTE"}));
    return words;
  }
  Words bitfield(const std::string& name) {
    Words words{name, key()};
    const auto type = [&] { return pick({"u1", "u8", "i5", "i8", "u13", "i64", "u63", "u3", "u64"}); };
    const auto offset = [&] { return pick({"0", "1", "#0", "#1", "#3", "77", "101", "abc", "-1"}); };
    for (std::size_t left = below(4); left > 0; --left) {
      switch (below(4)) {
        case 0: words.insert(words.end(), {"OVERFLOW", pick({"WRAP", "SAT", "FAIL", "foo"})}); break;
        case 1: words.insert(words.end(), {"GET", type(), offset()}); break;
        default:
          words.insert(words.end(), {pick({"SET", "INCRBY"}), type(), offset(),
                                     pick({"0", "1", "-1", "100", "-77", "255", "9223372036854775807",
                                           "-9223372036854775808", "abc"})});
      }
    }
    return words;
  }
  // Now and then so many that a sparse value becomes dense.
  Words elements(Words words) {
    const std::size_t count = below(20) == 0 ? 1000 : below(20);
    for (std::size_t left = count; left > 0; --left) words.push_back(std::to_string(below(100'000)));
    return words;
  }
  Words with_keys(const std::string& name, std::size_t most) { return with_keys_of({name}, most); }
  Words with_keys_of(Words words, std::size_t most) {
    for (std::size_t left = 1 + below(most); left > 0; --left) words.push_back(key());
    return words;
  }
  Words with_pairs(const std::string& name, std::size_t most) {
    Words words{name};
    for (std::size_t left = 1 + below(most); left > 0; --left) words.insert(words.end(), {key(), value()});
    return words;
  }

  std::mt19937_64 random_;
};

// What one server dumps the other restores, compressed or not.
TEST_P(CommandDifferential, DumpsMoveBetweenTheServers) {
  std::mt19937_64 random(seed_of_this_run());
  Words values{"",
               "0",
               "-1",
               "127",
               "-128",
               "128",
               "32767",
               "-32768",
               "32768",
               "2147483647",
               "-2147483648",
               "2147483648",
               "01",
               "-0",
               "9223372036854775807",
               std::string("a\0\r\n\xff", 5),
               std::string(63, 'a'),
               std::string(64, 'b'),
               std::string(20, 'c'),
               std::string(21, 'd'),
               std::string(100'000, 'e')};
  for (const std::size_t bytes : {16'383u, 16'384u, 70'000u, 300'000u}) {
    std::string noise;
    std::string text;
    while (noise.size() < bytes) noise.push_back(static_cast<char>(random()));
    while (text.size() < bytes) text += fmt::format("{} green bottles, ", random() % 1000);
    values.push_back(noise);
    values.push_back(text);
  }
  const auto payload_of = [](const std::string& reply) {
    return reply.substr(reply.find('\n') + 1, reply.size() - reply.find('\n') - 3);
  };
  for (const std::string& value : values) {
    same({"SET", "from", value});
    const std::string of_redis = payload_of(to_redis_->run(Words{"DUMP", "from"}));
    const std::string of_shale = payload_of(to_shale_->run(Words{"DUMP", "from"}));
    ASSERT_EQ(to_shale_->run(Words{"RESTORE", "to", "0", of_redis, "REPLACE"}), "+OK\r\n") << value.size();
    ASSERT_EQ(to_redis_->run(Words{"RESTORE", "to", "0", of_shale, "REPLACE"}), "+OK\r\n") << value.size();
    ASSERT_TRUE(same({"GET", "to"}));
    ASSERT_EQ(to_shale_->run(Words{"GET", "to"}), to_shale_->run(Words{"GET", "from"}));
    std::string damaged = of_redis;
    damaged[random() % damaged.size()] ^= 4;
    same({"RESTORE", "to", "0", damaged, "REPLACE"});
    same({"RESTORE", "to", "0", of_redis});
    same({"RESTORE", "expiring", "100000000", of_redis, "REPLACE"});
    same({"PTTL", "expiring"});
    same({"RESTORE", "expiring", "1", of_redis, "ABSTTL", "REPLACE"});
    same({"EXISTS", "expiring"});
    same({"RESTORE", "expiring", "5000000000123", of_redis, "ABSTTL", "IDLETIME", "7"});
    same({"PEXPIRETIME", "expiring"});
  }
}

TEST_P(CommandDifferential, RandomCommandsGetRedissReplies) {
  const std::uint64_t seed = seed_of_this_run();
  RandomCommands commands(seed);
  constexpr int kCommands = 5000;
  for (int i = 0; i < kCommands; ++i) {
    ASSERT_TRUE(same(commands.next())) << "command " << i << " of SHALE_TEST_SEED=" << seed;
  }
}

// What subscribers hear of each command. A key whose expiry is in the past when it is set is gone at once
// here, and when somebody looks at it there: "expired" is left out.
TEST_P(CommandDifferential, RandomCommandsTellRedissEvents) {
  const std::uint64_t seed = seed_of_this_run();
  CommandConnection of_shale(shale_->port());
  CommandConnection of_redis(redis_->port());
  for (CommandConnection* subscriber : {&of_shale, &of_redis}) {
    subscriber->run("HELLO 3");
    subscriber->run("CONFIG SET notify-keyspace-events KEAmn");
    subscriber->run("PSUBSCRIBE *");
  }
  const auto heard = [](CommandConnection& subscriber) {
    std::string messages = subscriber.messages();
    for (std::size_t at = 0; (at = messages.find("expired", at)) != std::string::npos;) {
      const std::size_t begin = messages.rfind(">4\r\n", at);
      at = begin;
      messages.erase(begin, std::min(messages.find(">4\r\n", begin + 1), messages.size()) - begin);
    }
    return messages;
  };
  RandomCommands commands(seed);
  constexpr int kCommands = 2000;
  for (int i = 0; i < kCommands; ++i) {
    const Words words = commands.next();
    ASSERT_TRUE(same(words)) << "command " << i << " of SHALE_TEST_SEED=" << seed;
    ASSERT_EQ(heard(of_shale), heard(of_redis)) << text_of(words) << i << " of SHALE_TEST_SEED=" << seed;
  }
}

// A subscriber and a publisher, who says what.
constexpr std::pair<char, std::string_view> kConversation[] = {
    {'s', "SUBSCRIBE"},
    {'s', "SUBSCRIBE a b a"},
    {'s', "PSUBSCRIBE a* b"},
    {'s', "SSUBSCRIBE a"},
    {'p', "PUBLISH a x"},
    {'p', "PUBLISH nobody x"},
    {'p', "PUBLISH a"},
    {'p', "SPUBLISH a x"},
    {'s', "PING"},
    {'s', "PING x"},
    {'s', "PING x y"},
    {'s', "FOO"},
    {'s', "UNSUBSCRIBE nothing"},
    {'p', "PUBSUB NUMSUB a b c"},
    {'p', "PUBSUB NUMPAT"},
    {'p', "PUBSUB CHANNELS a*"},
    {'p', "PUBSUB CHANNELS x*"},
    {'p', "PUBSUB CHANNELS a b"},
    {'p', "PUBSUB SHARDCHANNELS"},
    {'p', "PUBSUB SHARDNUMSUB a b"},
    {'p', "PUBSUB FOO"},
    {'p', "PUBSUB"},
    {'p', "CLIENT GETREDIR"},
    {'p', "CLIENT TRACKINGINFO"},
    {'p', "CLIENT CACHING YES"},
    {'p', "CLIENT CACHING"},
    {'p', "CLIENT TRACKING"},
    {'p', "CLIENT TRACKING ON REDIRECT"},
    {'p', "CLIENT TRACKING ON REDIRECT abc"},
    {'p', "CLIENT TRACKING ON REDIRECT 999999"},
    {'p', "CLIENT TRACKING ON PREFIX a"},
    {'p', "CLIENT TRACKING ON BCAST OPTIN"},
    {'p', "CLIENT TRACKING ON OPTIN OPTOUT"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab"},
    {'p', "CLIENT TRACKING ON OPTIN"},
    {'p', "CLIENT TRACKING ON OPTOUT"},
    {'p', "CLIENT TRACKING ON BCAST"},
    {'p', "CLIENT CACHING NO"},
    {'p', "CLIENT CACHING MAYBE"},
    {'p', "CLIENT CACHING YES"},
    {'p', "CLIENT GETREDIR"},
    {'p', "CLIENT TRACKING OFF"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX a NOLOOP"},
    {'p', "CLIENT TRACKINGINFO"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX ab"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX b"},
    {'p', "CLIENT TRACKING OFF"},
    {'p', "CONFIG SET client-output-buffer-limit \"pubsub 1 2\""},
    {'p', "CONFIG SET client-output-buffer-limit \"foo 1 2 3\""},
    {'p', "CONFIG SET client-output-buffer-limit \"pubsub 1 2 x\""},
    {'p', "CONFIG SET client-output-buffer-limit \"pubsub 16mb 8mb 60\""},
    {'p', "CONFIG GET client-output-buffer-limit"},
    {'s', "PUNSUBSCRIBE a* b"},  // which comes first without names is not said
    {'s', "SUNSUBSCRIBE a"},
    {'s', "SUNSUBSCRIBE"},
    {'s', "UNSUBSCRIBE a b"},
    {'s', "UNSUBSCRIBE"},
    {'s', "PUNSUBSCRIBE x"},
    {'s', "GET a"},
};

TEST_P(CommandDifferential, SubscribersAndPublishersGetRedissRepliesAndMessages) {
  CommandConnection of_shale(shale_->port());
  CommandConnection of_redis(redis_->port());
  const std::string hello = fmt::format("HELLO {}", GetParam());
  of_shale.run(hello);
  of_redis.run(hello);
  for (const auto& [who, line] : kConversation) {
    if (who == 'p') {
      same(split_words(line));
      EXPECT_EQ(of_shale.messages(), of_redis.messages()) << line;
    } else {
      EXPECT_EQ(of_shale.run(line), of_redis.run(line)) << line;
    }
  }
}

}  // namespace
}  // namespace shale::integration
