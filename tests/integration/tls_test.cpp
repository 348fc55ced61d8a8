#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/client.h"
#include "tests/integration/commands_connection.h"
#include "tests/integration/tls_client.h"

namespace shale::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Tls : public testing::Test {
 protected:
  Tls() {
    authority_.write(path("ca"));
    server_certificate_.write(path("server"));
  }
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::vector<std::string> options(std::vector<std::string> more = {}) {
    tls_port_ = free_port();
    std::vector<std::string> all{
        "--tls-port",     std::to_string(tls_port_), "--tls-cert-file",    path("server.pem"),
        "--tls-key-file", path("server.key"),        "--tls-ca-cert-file", path("ca.pem")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // What a start with these options comes to, that is expected to fail.
  std::string refusal(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--port", "0", "--dir", path("data")});
    const Outcome outcome = run_server(arguments);
    EXPECT_EQ(outcome.exit_code, 1);
    return outcome.output;
  }

  const TemporaryFolder folder_;
  const Certificate authority_{"authority"};
  const Certificate server_certificate_{"server", &authority_};
  const Certificate client_certificate_{"client", &authority_};
  const Certificate stranger_{"stranger"};
  unsigned tls_port_ = 0;
};

TEST_F(Tls, ClientsShowTheirCertificatesWhereTheyMust) {
  ServerProcess server{options()};
  TlsClient client{tls_port_, authority_, &client_certificate_};
  EXPECT_EQ(client.ping(), "+PONG\r\n");
  EXPECT_EQ(client.protocol(), TLS1_3_VERSION);
  EXPECT_EQ((TlsClient{tls_port_, authority_, &client_certificate_, TLS1_2_VERSION}.ping()), "+PONG\r\n");
  EXPECT_EQ((TlsClient{tls_port_, authority_}.ping()), "");
  EXPECT_EQ((TlsClient{tls_port_, authority_, &stranger_}.ping()), "");
  EXPECT_FALSE((TlsClient{tls_port_, stranger_, &client_certificate_}.connected()));
  EXPECT_TRUE(server.process().wait_for_output("TLS handshake with 127.0.0.1"));
  // Whoever is on the plain port is not concerned; there, INFO and CLIENT LIST tell of the other.
  Client plain{server};
  EXPECT_THAT(plain.ask("INFO", "server"), HasSubstr("tls_port:" + std::to_string(tls_port_)));
  EXPECT_THAT(plain.ask("CLIENT", "LIST"), HasSubstr("laddr=127.0.0.1:" + std::to_string(tls_port_)));

  EXPECT_EQ(plain.ask("CONFIG", "SET", "tls-auth-clients", "optional"), "OK");
  EXPECT_EQ((TlsClient{tls_port_, authority_}.ping()), "+PONG\r\n");
  EXPECT_EQ((TlsClient{tls_port_, authority_, &stranger_}.ping()), "");
  EXPECT_EQ(plain.ask("CONFIG", "SET", "tls-auth-clients", "no"), "OK");
  EXPECT_EQ((TlsClient{tls_port_, authority_, &stranger_}.ping()), "+PONG\r\n");
  EXPECT_EQ(client.ping(), "+PONG\r\n");
}

TEST_F(Tls, APipelinedMegabyteComesBack) {
  ServerProcess server{options({"--tls-auth-clients", "no"})};
  TlsClient client{tls_port_, authority_};
  const std::string value(100'000, 'v');
  std::string requests;
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key:" + std::to_string(i);
    requests += encode({"SET", key, value}) + encode({"GET", key});
    expected += fmt::format("+OK\r\n${}\r\n{}\r\n", value.size(), value);
  }
  // Read while it is written: neither side may wait for the other for ever.
  std::string received;
  ASSERT_TRUE(client.send(requests.substr(0, requests.size() / 2)));
  received += client.receive(expected.size() / 4);
  client.update_keys();
  ASSERT_TRUE(client.send(requests.substr(requests.size() / 2)));
  received += client.receive(expected.size() - received.size());
  EXPECT_TRUE(received == expected);
}

// A value of its own file, in both directions.
TEST_F(Tls, AValueLargerThanABufferGoesBothWays) {
  ServerProcess server{options({"--tls-auth-clients", "no"})};
  TlsClient client{tls_port_, authority_};
  const std::string value(24u << 20, 'x');
  ASSERT_TRUE(client.send(encode({"SET", "large", value})));
  EXPECT_EQ(client.receive(5), "+OK\r\n");
  ASSERT_TRUE(client.send(encode({"GET", "large"})));
  const std::string expected = fmt::format("${}\r\n{}\r\n", value.size(), value);
  EXPECT_TRUE(client.receive(expected.size()) == expected);
}

TEST_F(Tls, GoodbyeIsSaidAndPasswordsAreAskedForAsElsewhere) {
  ServerProcess server{options({"--tls-auth-clients", "no", "--requirepass", "secret"})};
  TlsClient client{tls_port_, authority_};
  ASSERT_TRUE(client.send(encode({"PING"}) + encode({"AUTH", "secret"}) + encode({"QUIT"})));
  EXPECT_EQ(client.receive(44), "-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n");
  EXPECT_TRUE(client.closed_in_order());
}

TEST_F(Tls, WhoDoesNotSpeakItIsDisconnectedAndOthersAreServed) {
  ServerProcess server{options({"--port", "0", "--tls-auth-clients", "no"})};
  const auto connect = [&] { return std::make_unique<CommandConnection>(tls_port_); };
  const auto silent = connect();
  const auto half = connect();
  half->send(std::string_view{"\x16\x03\x01\x02\x00\x01", 6});
  const auto plain = connect();
  plain->send("PING\r\n");
  EXPECT_TRUE(server.process().wait_for_output("failed: "));
  connect();
  EXPECT_EQ((TlsClient{tls_port_, authority_}.ping()), "+PONG\r\n");
  EXPECT_TRUE(silent->closed_by_server());  // when its time for the handshake is over
}

TEST_F(Tls, CertificatesAreReplacedWhileClientsAreConnected) {
  ServerProcess server{options({"--tls-auth-clients", "no"})};
  Client admin{server};
  TlsClient before{tls_port_, authority_};
  EXPECT_EQ(before.subject_of_server(), "server");
  const Certificate renewed{"renewed", &authority_};
  renewed.write(path("renewed"), "hush");
  EXPECT_EQ(
      admin.ask("CONFIG", "SET", "tls-cert-file", path("renewed.pem"), "tls-key-file", path("renewed.key")),
      "(error) ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to update TLS "
      "configuration. Check server logs.");
  EXPECT_EQ(admin.ask("CONFIG", "GET", "tls-cert-file"), "[tls-cert-file, " + path("server.pem") + "]");
  EXPECT_EQ((TlsClient{tls_port_, authority_}.subject_of_server()), "server");
  EXPECT_EQ(admin.ask("CONFIG", "SET", "tls-cert-file", path("renewed.pem"), "tls-key-file",
                      path("renewed.key"), "tls-key-file-pass", "hush"),
            "OK");
  EXPECT_EQ((TlsClient{tls_port_, authority_}.subject_of_server()), "renewed");
  EXPECT_EQ(before.ping(), "+PONG\r\n");
  EXPECT_EQ(server.process().output().find("hush"), std::string::npos);
  EXPECT_EQ(admin.ask("CONFIG", "SET", "tls-protocols", "TLSv1.2"), "OK");
  EXPECT_EQ((TlsClient{tls_port_, authority_}.protocol()), TLS1_2_VERSION);
  EXPECT_THAT(admin.ask("CONFIG", "SET", "tls-ciphers", "nonsense"), HasSubstr("'tls-ciphers'"));
}

TEST_F(Tls, AStartWithWrongFilesNamesTheOption) {
  const std::string port = std::to_string(free_port());
  EXPECT_THAT(refusal({"--tls-port", port}), HasSubstr("'tls-cert-file' is needed"));
  EXPECT_THAT(refusal({"--tls-port", port, "--tls-cert-file", path("server.pem")}),
              HasSubstr("'tls-key-file' is needed"));
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all{
        "--tls-port", port, "--tls-cert-file", path("server.pem"), "--tls-key-file", path("server.key")};
    all.insert(all.end(), more.begin(), more.end());
    return refusal(all);
  };
  EXPECT_THAT(with({}), HasSubstr("'tls-ca-cert-file' or 'tls-ca-cert-dir' is needed"));
  EXPECT_THAT(with({"--tls-ca-cert-file", path("nothing")}),
              AllOf(HasSubstr("'tls-ca-cert-file'"), HasSubstr("No such file")));
  EXPECT_THAT(with({"--tls-ca-cert-dir", path("nothing")}), HasSubstr("'tls-ca-cert-dir'"));
  EXPECT_THAT(with({"--tls-cert-file", path("server.key")}), HasSubstr("'tls-cert-file'"));
  EXPECT_THAT(with({"--tls-key-file", path("ca.key")}),
              AllOf(HasSubstr("'tls-key-file'"), HasSubstr("mismatch")));
  EXPECT_THAT(with({"--tls-auth-clients", "no", "--tls-protocols", "SSLv3"}), HasSubstr("'tls-protocols'"));
  EXPECT_THAT(with({"--tls-auth-clients", "no", "--tls-ciphersuites", "nonsense"}),
              HasSubstr("'tls-ciphersuites'"));
}

TEST_F(Tls, TheHealthCheckSpeaksItWhereThereIsNothingElse) {
  const std::vector<std::string> arguments = options({"--port", "0"});
  ServerProcess server{arguments};
  std::vector<std::string> check{"--health-check", "--dir", server.folder() + "/data"};
  EXPECT_EQ(run_server(check).exit_code, 1);  // without a certificate it is not let in
  check.insert(check.end(), arguments.begin(), arguments.end());
  const Outcome outcome = run_server(check);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

TEST_F(Tls, InfoNamesTheListenersThatThereAre) {
  ServerProcess server{options({"--port", "0", "--tls-auth-clients", "no"})};
  TlsClient client{tls_port_, authority_};
  client.send("INFO server\r\nQUIT\r\n");
  const std::string info = client.receive(1u << 16);
  EXPECT_THAT(info, HasSubstr("\r\nlistener0:name=tls,"));
  EXPECT_THAT(info, Not(HasSubstr("listener1")));
}

TEST_F(Tls, RedisCliSpeaksIt) {
  if (!std::filesystem::exists("/usr/bin/redis-cli")) GTEST_SKIP() << "redis-cli is not installed";
  client_certificate_.write(path("client"));
  ServerProcess server{options()};
  ChildProcess cli{{"/usr/bin/redis-cli", "-p", std::to_string(tls_port_), "--tls", "--cacert",
                    path("ca.pem"), "--cert", path("client.pem"), "--key", path("client.key"), "--insecure",
                    "PING"}};
  EXPECT_EQ(cli.wait(), 0);
  EXPECT_THAT(cli.output(), HasSubstr("PONG"));
}

}  // namespace
}  // namespace shale::integration
