// Every function, its results and its errors.

#include <kv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(code, call) expect(code, call, #call, __LINE__)
#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static void expect(kv_code expected, kv_code found, const char *call, int line) {
    if (found != expected) {
        fprintf(stderr, "line %d: %s is %d and not %d: %s\n", line, call, found, expected, kv_error_message());
        exit(1);
    }
    if (found >= KV_ARGUMENT && strlen(kv_error_message()) == 0) {
        fprintf(stderr, "line %d: %s has no message\n", line, call);
        exit(1);
    }
}

static int is(kv_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

// Valid until the call after the next.
static kv_bytes number(unsigned n) {
    static char texts[2][16];
    static unsigned turn;
    char *text = texts[turn++ % 2];
    snprintf(text, sizeof texts[0], "n%03u", n % 1000);
    return kv_text(text);
}

static void opening(const char *path, kv_db **db) {
    kv_db *other;
    EXPECT(KV_ARGUMENT, kv_open(NULL, 0, 0, db));
    EXPECT(KV_ARGUMENT, kv_open(path, 0, 0, NULL));
    EXPECT(KV_ARGUMENT, kv_open(path, 64, 0, db));
    EXPECT(KV_SYSTEM, kv_open(path, KV_OPEN_EXISTING, 0, db));
    EXPECT(KV_OK, kv_open(path, 0, 1000, db));
    EXPECT(KV_ALREADY_OPEN, kv_open(path, 0, 0, &other));
    EXPECT(KV_ARGUMENT, kv_close(NULL));
}

static void writing(kv_db *db) {
    kv_tx *tx, *second;
    kv_bucket numbers, nested, none;
    kv_bytes value;
    uint64_t count;
    EXPECT(KV_OK, kv_begin_write(db, &tx));
    EXPECT(KV_ALREADY_WRITING, kv_begin_write(db, &second));
    EXPECT(KV_IN_USE, kv_close(db));
    EXPECT(KV_BUCKET_NOT_FOUND, kv_bucket_open(tx, KV_TOP, kv_text("numbers"), &numbers));
    EXPECT(KV_OK, kv_bucket_create(tx, KV_TOP, kv_text("numbers"), &numbers));
    EXPECT(KV_OK, kv_bucket_create(tx, numbers, kv_text("nested"), &nested));
    EXPECT(KV_ARGUMENT, kv_bucket_create(tx, 99, kv_text("nested"), &none));
    EXPECT(KV_SIZE, kv_bucket_create(tx, KV_TOP, kv_text(NULL), &none));
    for (unsigned n = 0; n < 500; n++) EXPECT(KV_OK, kv_put(tx, numbers, number(n), number(n * 2)));
    EXPECT(KV_OK, kv_put(tx, nested, kv_text("key"), kv_text("")));
    EXPECT(KV_SIZE, kv_put(tx, numbers, kv_text(""), kv_text("value")));
    EXPECT(KV_ARGUMENT, kv_put(tx, KV_TOP, kv_text("key"), kv_text("value")));
    EXPECT(KV_ARGUMENT, kv_put(tx, numbers, (kv_bytes){NULL, 3}, kv_text("value")));
    EXPECT(KV_ARGUMENT, kv_put(NULL, numbers, kv_text("key"), kv_text("value")));
    EXPECT(KV_INCOMPATIBLE, kv_put(tx, numbers, kv_text("nested"), kv_text("value")));
    EXPECT(KV_OK, kv_get(tx, nested, kv_text("key"), &value));
    HOLDS(value.len == 0);
    EXPECT(KV_NOT_FOUND, kv_get(tx, nested, kv_text("other"), &value));
    EXPECT(KV_OK, kv_delete(tx, numbers, kv_text("n499")));
    EXPECT(KV_NOT_FOUND, kv_delete(tx, numbers, kv_text("n499")));
    kv_bytes from = kv_text("n100"), to = kv_text("n499");
    EXPECT(KV_OK, kv_delete_range(tx, numbers, &from, &to, &count));
    HOLDS(count == 399);
    EXPECT(KV_OK, kv_count(tx, numbers, &count));
    HOLDS(count == 100);
    EXPECT(KV_OK, kv_next_sequence(tx, numbers, &count));
    EXPECT(KV_OK, kv_next_sequence(tx, numbers, &count));
    HOLDS(count == 2);
    EXPECT(KV_ARGUMENT, kv_check(tx, &count));
    EXPECT(KV_OK, kv_commit(tx));
}

// A scan of a bucket that changes on the way: every second pair is deleted, backwards.
static void scanning_what_changes(kv_db *db) {
    kv_tx *tx;
    kv_bucket numbers;
    kv_scan scan;
    kv_bytes key, value;
    char copy[16];
    unsigned met = 0;
    EXPECT(KV_OK, kv_begin_write(db, &tx));
    EXPECT(KV_OK, kv_bucket_open(tx, KV_TOP, kv_text("numbers"), &numbers));
    kv_bytes from = kv_text("n003");
    EXPECT(KV_OK, kv_scan_begin(tx, numbers, &from, NULL, true, &scan));
    while (kv_scan_next(tx, scan, &key, &value) == KV_OK) {
        HOLDS(key.len < sizeof copy);
        memcpy(copy, key.data, key.len);
        copy[key.len] = 0;
        HOLDS(strcmp(copy, (const char *)number(99 - met).data) == 0);
        EXPECT(KV_OK, kv_delete(tx, numbers, kv_text(copy)));
        met++;
    }
    HOLDS(met == 97);
    EXPECT(KV_OK, kv_bucket_delete(tx, numbers, kv_text("nested")));
    EXPECT(KV_BUCKET_NOT_FOUND, kv_bucket_delete(tx, numbers, kv_text("nested")));
    EXPECT(KV_OK, kv_commit(tx));
}

static void reading(kv_db *db, const char *path) {
    kv_tx *tx, *before;
    kv_bucket numbers, nested;
    kv_scan scan, second;
    kv_bytes key, value, name;
    uint64_t problems;
    EXPECT(KV_OK, kv_begin_read(db, &before));
    scanning_what_changes(db);
    EXPECT(KV_OK, kv_begin_read(db, &tx));
    EXPECT(KV_OK, kv_bucket_open(tx, KV_TOP, kv_text("numbers"), &numbers));
    EXPECT(KV_READ_ONLY, kv_put(tx, numbers, kv_text("key"), kv_text("value")));
    EXPECT(KV_OK, kv_get(tx, numbers, kv_text("n002"), &value));
    HOLDS(is(value, "n004"));
    EXPECT(KV_OK, kv_scan_begin(tx, numbers, NULL, NULL, false, &scan));
    EXPECT(KV_OK, kv_scan_begin(tx, numbers, NULL, NULL, true, &second));
    EXPECT(KV_OK, kv_scan_next(tx, scan, &key, &value));
    HOLDS(is(key, "n000"));
    EXPECT(KV_OK, kv_scan_next(tx, second, &key, &value));
    HOLDS(is(key, "n002") && is(value, "n004"));
    EXPECT(KV_OK, kv_scan_end(tx, second));
    EXPECT(KV_ARGUMENT, kv_scan_next(tx, second, &key, &value));
    EXPECT(KV_OK, kv_scan_next(tx, scan, &key, &value));
    EXPECT(KV_OK, kv_scan_next(tx, scan, &key, &value));
    EXPECT(KV_END, kv_scan_next(tx, scan, &key, &value));
    EXPECT(KV_OK, kv_bucket_next(tx, KV_TOP, NULL, &name));
    HOLDS(is(name, "numbers"));
    EXPECT(KV_END, kv_bucket_next(tx, KV_TOP, &name, &name));
    EXPECT(KV_END, kv_bucket_next(tx, numbers, NULL, &name));

    // The transaction that began before sees what was there then.
    EXPECT(KV_OK, kv_bucket_open(before, KV_TOP, kv_text("numbers"), &numbers));
    EXPECT(KV_OK, kv_bucket_next(before, numbers, NULL, &name));
    HOLDS(is(name, "nested"));
    EXPECT(KV_OK, kv_bucket_open(before, numbers, kv_text("nested"), &nested));
    EXPECT(KV_OK, kv_get(before, nested, kv_text("key"), &value));
    EXPECT(KV_OK, kv_get(before, numbers, kv_text("n050"), &value));
    HOLDS(is(value, "n100"));

    char copy[4096];
    HOLDS(snprintf(copy, sizeof copy, "%s.copy", path) < (int)sizeof copy);
    EXPECT(KV_OK, kv_copy(before, copy));
    EXPECT(KV_OK, kv_check(tx, &problems));
    HOLDS(problems == 0);
    EXPECT(KV_OK, kv_end(before));
    EXPECT(KV_OK, kv_end(tx));

    kv_db *copied;
    EXPECT(KV_OK, kv_open(copy, KV_OPEN_READ_ONLY | KV_OPEN_EXISTING, 0, &copied));
    EXPECT(KV_READ_ONLY, kv_begin_write(copied, &tx));
    EXPECT(KV_OK, kv_begin_read(copied, &tx));
    EXPECT(KV_OK, kv_bucket_open(tx, KV_TOP, kv_text("numbers"), &numbers));
    EXPECT(KV_OK, kv_count(tx, numbers, &problems));
    HOLDS(problems == 100);
    EXPECT(KV_OK, kv_end(tx));
    EXPECT(KV_OK, kv_close(copied));
}

static void rolling_back(kv_db *db) {
    kv_tx *tx;
    kv_bucket bucket, same;
    EXPECT(KV_OK, kv_begin_write(db, &tx));
    EXPECT(KV_OK, kv_bucket_create(tx, KV_TOP, kv_text("other"), &bucket));
    EXPECT(KV_OK, kv_bucket_delete(tx, KV_TOP, kv_text("other")));
    EXPECT(KV_STALE, kv_put(tx, bucket, kv_text("key"), kv_text("value")));
    EXPECT(KV_OK, kv_bucket_create(tx, KV_TOP, kv_text("other"), &same));
    EXPECT(KV_OK, kv_end(tx));
    EXPECT(KV_OK, kv_begin_write(db, &tx));
    EXPECT(KV_BUCKET_NOT_FOUND, kv_bucket_open(tx, KV_TOP, kv_text("other"), &bucket));
    EXPECT(KV_OK, kv_commit(tx));
    EXPECT(KV_OK, kv_sync(db));
}

static void no_database(const char *path) {
    kv_db *db;
    char text[4096];
    HOLDS(snprintf(text, sizeof text, "%s.text", path) < (int)sizeof text);
    FILE *file = fopen(text, "wb");
    HOLDS(file != NULL);
    for (int n = 0; n < 20000; n++) HOLDS(fputc('x', file) == 'x');
    HOLDS(fclose(file) == 0);
    EXPECT(KV_NOT_A_DATABASE, kv_open(text, 0, 0, &db));
}

int main(int count, char **arguments) {
    kv_db *db;
    HOLDS(count == 2);
    opening(arguments[1], &db);
    writing(db);
    reading(db, arguments[1]);
    rolling_back(db);
    EXPECT(KV_OK, kv_close(db));

    no_database(arguments[1]);
    puts("border: passed");
    return 0;
}
