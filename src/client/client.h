// src/client/client.h: public. The client as a state machine without I/O.
//
// One ClientSession is one device of one user. It is fed with what happened (connected, bytes,
// disconnected, time) and answers with what to do (bytes to send, connect again at, events for the
// application). loadgen, the command line client and the simulator all drive this class and nothing
// else, so that what it shows is what a user's application would be shown: each (conversation, seq)
// once and in order. Ownership: frames live in the caller's buffers; the session keeps only what is
// unacknowledged. Thread rule: one owner. Time comes from the caller.
#pragma once
