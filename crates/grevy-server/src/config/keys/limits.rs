//! What bounds the load.

use super::{Kind::*, Preset::*, Support::*, *};

const NO_THROTTLE: Support = NotYet("limiting the rate of new connections");
const NO_QUEUE: Support = Accepted(
    "requests do not queue before they are processed; each connection's backlog is bounded by \
     globalOutstandingLimit",
);
const NO_CACHE: Support =
    Accepted("answers are encoded straight from the tree, which is faster than looking them up");

keys! {
    "jute.maxbuffer" Bare, bytes(1), Value("1048575"), Supported, "The largest request, and so the largest data of a node; the same on all servers.";
    "jute.maxbuffer.extrasize" Property, bytes(INT_MIN), Derived("`jute.maxbuffer`"), Supported, "How much larger than that a transaction, or a field on disk or between servers, may be; at least 1024.";
    "globalOutstandingLimit" Property, count(1), Value("1000"), Supported, "How many requests may be unanswered before the server reads no more from busy connections.";
    "enforceQuota" Property, Flag, Value("false"), Supported, "Whether a write beyond a hard quota fails.";
    "request_throttle_max_requests" Property, count(0), Value("0"), NO_QUEUE, "How many requests are processed at a time; 0: no limit.";
    "request_throttle_stall_time" Property, ms(1), Value("100"), NO_QUEUE, "How long a throttled request waits before it is looked at again.";
    "request_throttle_drop_stale" Property, Flag, Value("true"), NO_QUEUE, "Whether throttled requests of closed connections are dropped.";
    "request_stale_connection_check" Property, Flag, Value("true"), NO_QUEUE, "Whether a request of a closed connection counts as stale.";
    "request_stale_latency_check" Property, Flag, Value("false"), NO_QUEUE, "Whether a request older than its session's timeout counts as stale.";
    "request_throttler.shutdownTimeout" Property, ms(0), Value("10000"), NO_QUEUE, "How long a stopping server waits for throttled requests.";
    "throttled_op_wait_time" Property, ms(0), Value("0"), NO_QUEUE, "After how long in the throttler a request is answered with ThrottledOp; 0: never.";
    "largeRequestThreshold" Property, bytes(-1), Value("-1"), NO_QUEUE, "From which size on a request counts as large; -1: none does.";
    "largeRequestMaxBytes" Property, bytes(1), Value("104857600"), NO_QUEUE, "How many bytes of large requests may be in work at a time.";
    "connection_throttle_tokens" Property, count(0), Value("0"), NO_THROTTLE, "How many new connections may come at once; 0: no limit.";
    "connection_throttle_fill_time" Property, ms(1), Value("1"), NO_THROTTLE, "How often tokens are refilled.";
    "connection_throttle_fill_count" Property, count(0), Value("1"), NO_THROTTLE, "How many tokens are refilled.";
    "connection_throttle_freeze_time" Property, ms(-1), Value("-1"), NO_THROTTLE, "How often the dropping probability changes; -1: never.";
    "connection_throttle_drop_increase" Property, Float { min: 0.0, max: 1.0 }, Value("0.02"), NO_THROTTLE, "By how much the dropping probability grows.";
    "connection_throttle_drop_decrease" Property, Float { min: 0.0, max: 1.0 }, Value("0.002"), NO_THROTTLE, "By how much the dropping probability shrinks.";
    "connection_throttle_decrease_ratio" Property, Float { min: 0.0, max: 1.0 }, Value("0"), NO_THROTTLE, "At which share of free tokens it shrinks.";
    "connection_throttle_weight_enabled" Property, Flag, Value("false"), NO_THROTTLE, "Whether kinds of sessions weigh differently.";
    "connection_throttle_global_session_weight" Property, count(1), Value("3"), NO_THROTTLE, "The weight of a new session.";
    "connection_throttle_renew_session_weight" Property, count(1), Value("2"), NO_THROTTLE, "The weight of a session that comes back.";
    "connection_throttle_local_session_weight" Property, count(1), Value("1"), NO_THROTTLE, "The weight of a new local session.";
    "maxResponseCacheSize" Property, count(INT_MIN), Value("400"), NO_CACHE, "How many answers to getData are kept.";
    "maxGetChildrenResponseCacheSize" Property, count(INT_MIN), Value("400"), NO_CACHE, "How many answers to getChildren are kept.";
}
