/* Drives a server through Debian's libzookeeper_mt and prints what it sees, one line a step.
 * Everything that differs from run to run (times, session ids, zxids) is left out, so that two servers can be compared.
 * Usage: c_client HOST:PORT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

enum { EVENTS_MAX = 64, WAIT_STEPS = 500, STEP_US = 10000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char events[EVENTS_MAX][256];
static int event_count;
static volatile int connected;
static volatile int completions;

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
  (void)handle;
  if (type == ZOO_SESSION_EVENT) {
    connected = state == ZOO_CONNECTED_STATE;
    return;
  }
  pthread_mutex_lock(&lock);
  if (event_count < EVENTS_MAX)
    snprintf(events[event_count++], sizeof events[0], "%s type=%d state=%d path=%s", (const char *)context, type, state, path);
  pthread_mutex_unlock(&lock);
}

static void string_completion(int rc, const char *value, const void *context) {
  printf("%s rc=%d value=%s\n", (const char *)context, rc, value ? value : "");
  completions++;
}

static void void_completion(int rc, const void *context) {
  printf("%s rc=%d\n", (const char *)context, rc);
  completions++;
}

static void await_completion(int sent) {
  if (sent != ZOK) printf("not sent: %d\n", sent);
  for (int step = 0; step < WAIT_STEPS && sent == ZOK && completions == 0; step++) usleep(STEP_US);
  completions = 0;
}

/* Prints the events so far, waiting until there are `expected`. */
static void show_events(int expected) {
  for (int step = 0; step < WAIT_STEPS && event_count < expected; step++) usleep(STEP_US);
  pthread_mutex_lock(&lock);
  for (int i = 0; i < event_count; i++) printf("  event %s\n", events[i]);
  event_count = 0;
  pthread_mutex_unlock(&lock);
}

static void show_stat(const char *step, int rc, const struct Stat *stat) {
  printf("%s rc=%d", step, rc);
  if (rc == ZOK)
    printf(" version=%d cversion=%d aversion=%d owned=%d length=%d children=%d", stat->version, stat->cversion,
           stat->aversion, stat->ephemeralOwner != 0, stat->dataLength, stat->numChildren);
  printf("\n");
}

static zhandle_t *connect_to(const char *host, const char *name) {
  connected = 0;
  zhandle_t *handle = zookeeper_init(host, watcher, 20000, NULL, (void *)name, 0);
  for (int step = 0; handle && step < WAIT_STEPS && !connected; step++) usleep(STEP_US);
  if (!connected) {
    printf("no connection\n");
    exit(1);
  }
  return handle;
}

static void basics(zhandle_t *zk) {
  char path[256], data[256];
  struct Stat stat;
  int length = sizeof data, rc;
  rc = zoo_create(zk, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
  printf("create rc=%d path=%s\n", rc, path);
  printf("create again rc=%d\n", zoo_create(zk, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  rc = zoo_create2(zk, "/c/seq-", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL | ZOO_SEQUENCE, path, sizeof path, &stat);
  printf("sequential path=%s ", path);
  show_stat("create2", rc, &stat);
  printf("below ephemeral rc=%d\n", zoo_create(zk, "/c/seq-0000000000/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  rc = zoo_wget(zk, "/c", watcher, "data", data, &length, &stat);
  printf("get %.*s ", length > 0 ? length : 0, data);
  show_stat("wget", rc, &stat);
  length = sizeof data;
  rc = zoo_get(zk, "/c/seq-0000000000", 0, data, &length, &stat);
  printf("null data length=%d rc=%d\n", length, rc);
  show_stat("set", zoo_set2(zk, "/c", "second", 6, 0, &stat), &stat);
  show_events(1);
  printf("set with a wrong version rc=%d\n", zoo_set(zk, "/c", "x", 1, 7));
  show_stat("wexists of nothing", zoo_wexists(zk, "/c/later", watcher, "exists", &stat), &stat);
  struct String_vector children;
  rc = zoo_wget_children2(zk, "/c", watcher, "child", &children, &stat);
  printf("children=%d first=%s ", children.count, children.count ? children.data[0] : "");
  show_stat("wget_children2", rc, &stat);
  deallocate_String_vector(&children);
  printf("create later rc=%d\n", zoo_create(zk, "/c/later", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  show_events(2);
  printf("delete of a parent rc=%d\n", zoo_delete(zk, "/c", -1));
  printf("delete rc=%d\n", zoo_delete(zk, "/c/later", 0));
  await_completion(zoo_async(zk, "/c", string_completion, "sync"));
}

static void multis(zhandle_t *zk) {
  char first[256] = "", second[256] = "";
  struct Stat stat;
  zoo_op_t good[4], bad[3];
  zoo_op_result_t results[4];
  zoo_create_op_init(&good[0], "/c/m", "m", 1, &ZOO_OPEN_ACL_UNSAFE, 0, first, sizeof first);
  zoo_create_op_init(&good[1], "/c/m/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, second, sizeof second);
  zoo_set_op_init(&good[2], "/c/m", "changed", 7, 0, &stat);
  zoo_check_op_init(&good[3], "/c/m", 1);
  int rc = zoo_multi(zk, 4, good, results);
  printf("multi rc=%d %d %d %d %d first=%s second=%s ", rc, results[0].err, results[1].err, results[2].err, results[3].err,
         first, second);
  show_stat("set in it", rc, &stat);
  zoo_create_op_init(&bad[0], "/c/never", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, first, sizeof first);
  zoo_check_op_init(&bad[1], "/c/m", 99);
  zoo_delete_op_init(&bad[2], "/c/m", -1);
  rc = zoo_multi(zk, 3, bad, results);
  printf("failing multi rc=%d %d %d %d\n", rc, results[0].err, results[1].err, results[2].err);
  show_stat("what it would have created", zoo_exists(zk, "/c/never", 0, &stat), &stat);
}

static void access_control(zhandle_t *zk, const char *host) {
  struct Stat stat;
  struct ACL_vector acl;
  struct ACL mine[] = {{ZOO_PERM_ALL, {"auth", ""}}};
  struct ACL_vector only_me = {1, mine};
  await_completion(zoo_add_auth(zk, "digest", "user:pass", 9, void_completion, "add auth"));
  printf("set acl rc=%d\n", zoo_set_acl(zk, "/c/m", -1, &only_me));
  int rc = zoo_get_acl(zk, "/c/m", &acl, &stat);
  printf("acl rc=%d", rc);
  for (int i = 0; rc == ZOK && i < acl.count; i++) printf(" %d %s %s", acl.data[i].perms, acl.data[i].id.scheme, acl.data[i].id.id);
  if (rc == ZOK) deallocate_ACL_vector(&acl);
  printf("\n");
  zhandle_t *other = connect_to(host, "other");
  char data[64];
  int length = sizeof data;
  printf("a stranger reads rc=%d\n", zoo_get(other, "/c/m", 0, data, &length, &stat));
  printf("a stranger sees the ephemeral rc=%d\n", zoo_wexists(other, "/c/seq-0000000000", watcher, "gone", &stat));
  printf("close rc=%d\n", zookeeper_close(zk));
  show_events(1);
  show_stat("the ephemeral after its session", zoo_exists(other, "/c/seq-0000000000", 0, &stat), &stat);
  printf("close rc=%d\n", zookeeper_close(other));
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  zoo_set_debug_level(0);
  zhandle_t *zk = connect_to(arguments[1], "main");
  printf("timeout %d\n", zoo_recv_timeout(zk));
  basics(zk);
  multis(zk);
  access_control(zk, arguments[1]);
  return 0;
}
