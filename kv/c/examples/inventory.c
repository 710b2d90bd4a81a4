// Opens a store, changes it in a transaction, and reads it in another.
//
//   cargo build --release -p kv-c
//   cc -I kv/c/include kv/c/examples/inventory.c target/release/libkv_c.a -lpthread -ldl -lm -lgcc_s -o inventory
//   ./inventory fruit.db

#include <kv.h>
#include <stdio.h>
#include <stdlib.h>

// What cannot go on ends with the reason.
static void check(kv_code code) {
    if (code >= KV_ARGUMENT) {
        fprintf(stderr, "error %d: %s\n", code, kv_error_message());
        exit(1);
    }
}

int main(int count, char **arguments) {
    kv_db *db;
    kv_tx *tx;
    kv_bucket fruit;

    check(kv_open(count > 1 ? arguments[1] : "fruit.db", 0, 5000, &db));

    // Atomic, and durable when kv_commit returns.
    check(kv_begin_write(db, &tx));
    check(kv_bucket_create(tx, KV_TOP, kv_text("fruit"), &fruit));
    check(kv_put(tx, fruit, kv_text("plum"), kv_text("40")));
    check(kv_put(tx, fruit, kv_text("apple"), kv_text("12")));
    check(kv_put(tx, fruit, kv_text("cherry"), kv_text("250")));
    check(kv_commit(tx));

    // One state of the database, in the order of keys, without copies.
    kv_scan scan;
    kv_bytes key, value;
    uint64_t kinds;
    check(kv_begin_read(db, &tx));
    check(kv_bucket_open(tx, KV_TOP, kv_text("fruit"), &fruit));
    check(kv_scan_begin(tx, fruit, NULL, NULL, false, &scan));
    while (kv_scan_next(tx, scan, &key, &value) == KV_OK) {
        printf("%.*s: %.*s\n", (int)key.len, (const char *)key.data, (int)value.len, (const char *)value.data);
    }
    check(kv_count(tx, fruit, &kinds));
    printf("%llu kinds of fruit\n", (unsigned long long)kinds);
    check(kv_end(tx));

    check(kv_close(db));
    return 0;
}
