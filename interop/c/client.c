/*
 * The C client's synchronous API against a server. Argument: host:port.
 * Prints "ok name" for each check; the first that fails ends the program with 1.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int connected;
static int events;
static int last_type;
static char last_path[256];

static void check(int holds, const char *name) {
    printf("%s %s\n", holds ? "ok" : "FAILED", name);
    if (!holds) {
        exit(1);
    }
}

static void watch(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh;
    (void)context;
    pthread_mutex_lock(&lock);
    if (type == ZOO_SESSION_EVENT) {
        connected = state == ZOO_CONNECTED_STATE;
    } else {
        events++;
        last_type = type;
        snprintf(last_path, sizeof last_path, "%s", path);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits, 30 seconds at most, until `*value` reaches `wanted`. */
static int reaches(int *value, int wanted) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    pthread_mutex_lock(&lock);
    int rc = 0;
    while (*value < wanted && rc == 0) {
        rc = pthread_cond_timedwait(&changed, &lock, &deadline);
    }
    int reached = *value >= wanted;
    pthread_mutex_unlock(&lock);
    return reached;
}

static zhandle_t *open_client(const char *address, const clientid_t *id) {
    connected = 0;
    zhandle_t *zh = zookeeper_init(address, watch, 20000, id, NULL, 0);
    check(zh != NULL && reaches(&connected, 1), "connect");
    return zh;
}

static void nodes(zhandle_t *zh) {
    char path[128], data[64];
    struct Stat stat;
    int length = sizeof data;
    check(zoo_create(zh, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path) == ZOK, "create");
    check(zoo_create(zh, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path) == ZNODEEXISTS, "create again");
    check(zoo_get(zh, "/c", 0, data, &length, &stat) == ZOK && length == 3 && !memcmp(data, "one", 3), "get");
    check(zoo_set2(zh, "/c", "two!", 4, 0, &stat) == ZOK && stat.version == 1 && stat.dataLength == 4, "set");
    check(zoo_set(zh, "/c", "x", 1, 0) == ZBADVERSION, "set with a stale version");
    check(zoo_create(zh, "/c/s-", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, path, sizeof path) == ZOK
              && !strcmp(path, "/c/s-0000000000"), "sequential");
    length = sizeof data;
    check(zoo_get(zh, path, 0, data, &length, &stat) == ZOK && length == -1, "null data stays null");
    check(zoo_create(zh, "/c/e", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, path, sizeof path) == ZOK, "ephemeral");
    check(zoo_exists(zh, "/c/e", 0, &stat) == ZOK && stat.ephemeralOwner == zoo_client_id(zh)->client_id, "its owner");
    check(zoo_create(zh, "/c/e/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path) == ZNOCHILDRENFOREPHEMERALS,
          "no child of an ephemeral");
    struct String_vector children;
    check(zoo_get_children(zh, "/c", 0, &children) == ZOK && children.count == 2, "children");
    deallocate_String_vector(&children);
    check(zoo_delete(zh, "/c", -1) == ZNOTEMPTY, "delete of a parent");
}

static void watches(zhandle_t *zh) {
    struct Stat stat;
    char path[64];
    check(zoo_exists(zh, "/c/w", 1, &stat) == ZNONODE, "watch what is not there");
    check(zoo_create(zh, "/c/w", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path) == ZOK, "create it");
    check(reaches(&events, 1) && last_type == ZOO_CREATED_EVENT && !strcmp(last_path, "/c/w"), "created event");
    check(zoo_exists(zh, "/c/w", 1, &stat) == ZOK && zoo_set(zh, "/c/w", "x", 1, -1) == ZOK, "watch and set");
    check(reaches(&events, 2) && last_type == ZOO_CHANGED_EVENT, "changed event");
    check(zoo_exists(zh, "/c/w", 1, &stat) == ZOK && zoo_delete(zh, "/c/w", -1) == ZOK, "watch and delete");
    check(reaches(&events, 3) && last_type == ZOO_DELETED_EVENT, "deleted event");
}

static void multi(zhandle_t *zh) {
    char first[64], second[64];
    struct Stat stat;
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    zoo_create_op_init(&ops[0], "/m", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, first, sizeof first);
    zoo_create_op_init(&ops[1], "/m/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, second, sizeof second);
    zoo_set_op_init(&ops[2], "/m", "x", 1, 0, &stat);
    zoo_check_op_init(&ops[3], "/m", 1);
    check(zoo_multi(zh, 4, ops, results) == ZOK && !strcmp(second, "/m/s-0000000000") && stat.version == 1, "multi");
    zoo_create_op_init(&ops[0], "/n", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, first, sizeof first);
    zoo_check_op_init(&ops[1], "/m", 9);
    zoo_delete_op_init(&ops[2], "/m", -1);
    check(zoo_multi(zh, 3, ops, results) == ZBADVERSION && results[0].err == ZOK && results[1].err == ZBADVERSION
              && results[2].err == ZRUNTIMEINCONSISTENCY, "multi that fails");
    check(zoo_exists(zh, "/n", 0, &stat) == ZNONODE, "and changes nothing");
}

static int auth_result;
static int auth_done;

static void authenticated(int rc, const void *context) {
    (void)context;
    pthread_mutex_lock(&lock);
    auth_result = rc;
    auth_done = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void access_control(zhandle_t *zh) {
    char path[64];
    struct ACL_vector acl;
    struct Stat stat;
    check(zoo_add_auth(zh, "digest", "ann:one", 7, authenticated, NULL) == ZOK && reaches(&auth_done, 1)
              && auth_result == ZOK, "add_auth");
    check(zoo_create(zh, "/mine", "", 0, &ZOO_CREATOR_ALL_ACL, 0, path, sizeof path) == ZOK, "create for its creator");
    check(zoo_get_acl(zh, "/mine", &acl, &stat) == ZOK && acl.count == 1 && !strcmp(acl.data[0].id.scheme, "digest"),
          "get_acl");
    deallocate_ACL_vector(&acl);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = open_client(argv[1], NULL);
    nodes(zh);
    watches(zh);
    multi(zh);
    access_control(zh);
    check(zookeeper_close(zh) == ZOK, "close");

    zh = open_client(argv[1], NULL);
    struct Stat stat;
    check(zoo_exists(zh, "/c/e", 0, &stat) == ZNONODE, "the ephemeral has gone with its session");
    check(zoo_exists(zh, "/c/s-0000000000", 0, &stat) == ZOK, "the rest is there");
    check(zookeeper_close(zh) == ZOK, "close again");
    return 0;
}
