// src/client/session_state.h: private to src/client. What a session has beside its 48 bytes once it
// uses conversations or rooms.
#pragma once

#include "client/conversations.h"
#include "client/rooms.h"

namespace ringtalk::client {

struct SessionState {
  Conversations conversations;
  Rooms rooms;
  bool uses_conversations = false;
};

}  // namespace ringtalk::client
