// The contract of ring/proactor.h, line by line, on every proactor of the build.
#include "contract.h"

namespace ringtalk::ring::contract {

TEST_P(Contract, EchoBothEndsOnOneProactor) {
  Party& both = party();
  const ListenerId listener = listen(both);
  const Pair pair = open(both, both, listener);
  both.react = [&](const Completion& completion) {
    if (completion.operation == Operation::receive && completion.connection == pair.server) {
      both.send(pair.server, both.events.back().bytes);
    }
  };
  both.send(pair.client, "hello, proactor");
  EXPECT_TRUE(pump([&] { return both[pair.client].received == "hello, proactor"; }));
  both.react = nullptr;
  close(both, pair.client);
  close(both, pair.server);
  EXPECT_EQ(both.proactor->connections_open(), 0U);
}

}  // namespace ringtalk::ring::contract
