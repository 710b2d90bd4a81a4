// kv: an embedded key/value store whose file is bbolt's. Generated from kv/c/src by cbindgen: change it there.
//
// Rules for all functions:
// - Each returns a code. After KV_ARGUMENT and all above, kv_error_message() says what is wrong.
// - A database (kv_db *) may be used by several threads, from kv_open until kv_close is called.
// - A transaction (kv_tx *) may be used by one thread at a time, from its beginning until kv_commit or kv_end is called.
//   A thread has one write transaction at a time.
// - Buckets (kv_bucket) and scans (kv_scan) are numbers within their transaction and end with it. A number that names
//   nothing is KV_ARGUMENT.
// - Bytes (kv_bytes) that are passed in belong to the caller and are not kept. Strings end with a zero.
// - A result is written to the pointer that comes last, and only if the function returns KV_OK.

#ifndef KV_H
#define KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Pointers to these are all that a program has of them.
typedef struct kv_db kv_db;
typedef struct kv_tx kv_tx;

// For `kv_open`: open for reading only. Several processes may do so at once, if none has the file open for writing.
#define KV_OPEN_READ_ONLY 1

// For `kv_open`: the file has to be there.
#define KV_OPEN_EXISTING 2

// For `kv_open`: commits are not durable until `kv_sync`, and a power cut may damage the file before.
#define KV_OPEN_NO_SYNC 4

// What a call returns. `kv_error_message` has the text of everything above `KV_END`.
typedef enum {
  // It is done.
  KV_OK = 0,
  // There is no such key.
  KV_NOT_FOUND = 1,
  // The scan has no more pairs.
  KV_END = 2,
  // An argument is null where it may not be, or names nothing of this transaction.
  KV_ARGUMENT = 10,
  // A key or a bucket's name is empty or longer than 32,768 bytes, or a value longer than 2^31 - 2.
  KV_SIZE = 11,
  // There is no bucket of this name.
  KV_BUCKET_NOT_FOUND = 12,
  // The name is that of a bucket where a key is expected, or the other way round.
  KV_INCOMPATIBLE = 13,
  // The bucket was deleted in this transaction.
  KV_STALE = 14,
  // The database or transaction is read-only.
  KV_READ_ONLY = 15,
  // This thread has a write transaction open already, and would wait for itself.
  KV_ALREADY_WRITING = 16,
  // Transactions are open, so the database cannot be closed.
  KV_IN_USE = 17,
  // Another process holds the file.
  KV_LOCKED = 20,
  // This process has the file open already.
  KV_ALREADY_OPEN = 21,
  // The file is no database, or one that this library does not read.
  KV_NOT_A_DATABASE = 22,
  // A page is damaged, or the file is too short.
  KV_CORRUPT = 23,
  // The file was renamed, removed or replaced while it was open.
  KV_FILE_MOVED = 24,
  // The commit failed, and certainly did not happen: a full disk, for example.
  KV_NOT_COMMITTED = 30,
  // The commit failed, and may have happened: opening the file again decides.
  KV_UNKNOWN = 31,
  // An earlier write failed: close the database and open it again.
  KV_POISONED = 32,
  // The system refused to open, read or write.
  KV_SYSTEM = 40,
  // An error that has no code of its own.
  KV_OTHER = 50,
  // A defect of the library, which has stopped this call. End the transaction.
  KV_PANIC = 51,
} kv_code;

// Bytes that somebody else owns. `data` may be null if `len` is 0.
typedef struct {
  // The first byte.
  const uint8_t *data;
  // How many there are.
  size_t len;
} kv_bytes;

// A bucket of a transaction. It is no pointer, and ends with the transaction.
typedef uint32_t kv_bucket;

// A scan of a transaction. It is no pointer, and ends with the transaction.
typedef uint32_t kv_scan;

// The top level: the parent of the buckets that have no other.
#define KV_TOP 0

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Returns the text of the last error that a call of this thread returned: what is wrong, where, and what to do about it.
// It stays valid until the next error of this thread.
const char *kv_error_message(void);

// Returns the bytes of a string that ends with a zero, without the zero. A null pointer is an empty string.
kv_bytes kv_text(const char *text);

// Opens a database; creates the file if it is absent. `flags` are of `KV_OPEN_...`, or 0. Waits up to `lock_timeout_ms`
// milliseconds for another process that has the file open. `*db` is to be closed with `kv_close`.
//
// Errors: `KV_LOCKED`, `KV_ALREADY_OPEN`, `KV_NOT_A_DATABASE`, `KV_CORRUPT`, `KV_SYSTEM`.
kv_code kv_open(const char *file,
                uint32_t flags,
                uint64_t lock_timeout_ms,
                kv_db **db);

// Closes a database. With `KV_IN_USE` it stays open, since transactions are: end them first. After any other code it is
// closed, and what was committed is there.
kv_code kv_close(kv_db *db);

// Makes all commits durable that `KV_OPEN_NO_SYNC` has put off.
kv_code kv_sync(const kv_db *db);

// Begins a read transaction: one state of the database, whatever is committed meanwhile. Blocks nobody. `*tx` is to be
// ended with `kv_end`.
kv_code kv_begin_read(const kv_db *db,
                      kv_tx **tx);

// Waits for the current write transaction to end, and begins one. `*tx` is to be ended with `kv_commit` or `kv_end`.
//
// Errors: `KV_ALREADY_WRITING`, `KV_READ_ONLY`, `KV_POISONED`.
kv_code kv_begin_write(const kv_db *db,
                       kv_tx **tx);

// Commits a write transaction, or ends one for reading. When it returns `KV_OK`, the changes are durable. The transaction
// is ended after every code; after an error nothing is changed, but for `KV_UNKNOWN`.
//
// Errors: `KV_NOT_COMMITTED`, `KV_UNKNOWN`, `KV_POISONED`, `KV_FILE_MOVED`, `KV_CORRUPT`.
kv_code kv_commit(kv_tx *tx);

// Ends a transaction. Changes that were not committed are gone.
kv_code kv_end(kv_tx *tx);

// Writes the state of a read transaction to a new file, as a database of its own, while others go on writing.
kv_code kv_copy(const kv_tx *tx, const char *file);

// Checks the whole database, as a read transaction sees it: `*problems` is the number of broken rules, and if it is not 0,
// `kv_error_message` says what the first one is. Reads every page that is not a value.
kv_code kv_check(const kv_tx *tx,
                 uint64_t *problems);

// Opens the bucket `name` of the bucket `parent`, or of the top level (`KV_TOP`).
//
// Errors: `KV_BUCKET_NOT_FOUND`, `KV_INCOMPATIBLE`.
kv_code kv_bucket_open(kv_tx *tx, kv_bucket parent, kv_bytes name, kv_bucket *bucket);

// Opens the bucket `name` of the bucket `parent`, or of the top level (`KV_TOP`); creates it if it is absent.
//
// Errors: `KV_READ_ONLY`, `KV_INCOMPATIBLE`, `KV_SIZE`.
kv_code kv_bucket_create(kv_tx *tx, kv_bucket parent, kv_bytes name, kv_bucket *bucket);

// Deletes the bucket `name` of the bucket `parent`, or of the top level (`KV_TOP`), with everything in it.
//
// Errors: `KV_READ_ONLY`, `KV_BUCKET_NOT_FOUND`, `KV_INCOMPATIBLE`.
kv_code kv_bucket_delete(kv_tx *tx, kv_bucket parent, kv_bytes name);

// Finds the first bucket of the bucket `parent`, or of the top level (`KV_TOP`), whose name comes after `*after`, or the
// first of all if `after` is null. `*name` is valid as the bytes of `kv_get` are. Pairs on the way are passed over.
//
// Returns `KV_END` if there is none.
kv_code kv_bucket_next(kv_tx *tx,
                       kv_bucket parent,
                       const kv_bytes *after,
                       kv_bytes *name);

// Finds the value of a key: `KV_OK` and `*value`, or `KV_NOT_FOUND`. The bytes are those of the file, without a copy. In a
// read transaction they are valid until it ends, in a write transaction until the next call that changes something.
//
// Errors: `KV_INCOMPATIBLE` if the key is the name of a bucket.
kv_code kv_get(kv_tx *tx,
               kv_bucket bucket,
               kv_bytes key,
               kv_bytes *value);

// Sets the value of a key.
//
// Errors: `KV_READ_ONLY`, `KV_SIZE`, `KV_INCOMPATIBLE`, `KV_STALE`.
kv_code kv_put(kv_tx *tx, kv_bucket bucket, kv_bytes key, kv_bytes value);

// Deletes a key: `KV_OK`, or `KV_NOT_FOUND` if there is none.
//
// Errors: `KV_READ_ONLY`, `KV_INCOMPATIBLE`, `KV_STALE`.
kv_code kv_delete(kv_tx *tx, kv_bucket bucket, kv_bytes key);

// Deletes the pairs and buckets from `*from` on and before `*to`; null is no bound. Whole pages go without being read.
// `*deleted`, unless null, is how many there were.
//
// Errors: `KV_READ_ONLY`, `KV_STALE`.
kv_code kv_delete_range(kv_tx *tx,
                        kv_bucket bucket,
                        const kv_bytes *from,
                        const kv_bytes *to,
                        uint64_t *deleted);

// Counts the pairs of a bucket, page by page.
kv_code kv_count(kv_tx *tx, kv_bucket bucket, uint64_t *count);

// Adds one to the counter of a bucket, which begins with 0, and gives the new number.
//
// Errors: `KV_READ_ONLY`, `KV_STALE`.
kv_code kv_next_sequence(kv_tx *tx, kv_bucket bucket, uint64_t *number);

// Begins a scan of the pairs from `*from` on and before `*to`; null is no bound. With `reverse` the last comes first.
kv_code kv_scan_begin(kv_tx *tx,
                      kv_bucket bucket,
                      const kv_bytes *from,
                      const kv_bytes *to,
                      bool reverse,
                      kv_scan *scan);

// Moves a scan on: `KV_OK` with the next pair, or `KV_END`. In a write transaction the bucket may change during the scan,
// which then finds what is there. The bytes are valid as those of `kv_get` are.
//
// Errors: `KV_CORRUPT`, `KV_STALE`.
kv_code kv_scan_next(kv_tx *tx,
                     kv_scan scan,
                     kv_bytes *key,
                     kv_bytes *value);

// Ends a scan, whose number may be used again. All scans end with the transaction.
kv_code kv_scan_end(kv_tx *tx, kv_scan scan);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KV_H */
