package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// container is what can hold buckets: the transaction (its root) or a bucket.
type container interface {
	Bucket(name []byte) *bolt.Bucket
	CreateBucket(name []byte) (*bolt.Bucket, error)
	CreateBucketIfNotExists(name []byte) (*bolt.Bucket, error)
	DeleteBucket(name []byte) error
}

// change executes a command inside a transaction: its words are the verb, the
// path, and up to two arguments.
func change(tx *bolt.Tx, words []string) (string, error) {
	counts := map[string]int{
		"create": 2, "create-if-absent": 2, "delete-bucket": 2, "next-seq": 2, "scan": 2,
		"del": 3, "get": 3, "seek": 3, "set-seq": 3, "put": 4, "sweep": 4,
	}
	if counts[words[0]] != len(words) {
		return "", fmt.Errorf("an unknown command or a wrong number of arguments")
	}
	path, err := parsePath(words[1])
	if err != nil {
		return "", err
	}
	parent, name := path[:len(path)-1], path[len(path)-1]
	switch words[0] {
	case "create", "create-if-absent", "delete-bucket":
		return changeBucket(words[0], descend(tx, parent), name), nil
	}
	above := descend(tx, parent)
	if above == nil {
		return outcome(bolt.ErrBucketNotFound), nil
	}
	b := above.Bucket(name)
	if b == nil {
		return outcome(bolt.ErrBucketNotFound), nil
	}
	switch words[0] {
	case "next-seq":
		n, err := b.NextSequence()
		if err != nil {
			return outcome(err), nil
		}
		return fmt.Sprintf("ok %d", n), nil
	case "set-seq":
		n, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			return "", err
		}
		return outcome(b.SetSequence(n)), nil
	case "scan":
		return scan(b), nil
	}
	key, err := parseBytes(words[2])
	if err != nil {
		return "", err
	}
	switch words[0] {
	case "put":
		value, err := parseBytes(words[3])
		if err != nil {
			return "", err
		}
		return outcome(b.Put(key, value)), nil
	case "sweep":
		limit, err := strconv.Atoi(words[3])
		if err != nil {
			return "", err
		}
		return sweep(b, key, limit), nil
	case "del":
		return del(b, key), nil
	case "get":
		return get(b, key), nil
	default:
		return seek(b, key), nil
	}
}

// descend follows a path from the root; nil if a bucket on it is missing.
func descend(tx *bolt.Tx, path [][]byte) container {
	var c container = tx
	for _, name := range path {
		b := c.Bucket(name)
		if b == nil {
			return nil
		}
		c = b
	}
	return c
}

func changeBucket(verb string, parent container, name []byte) string {
	if parent == nil {
		return outcome(bolt.ErrBucketNotFound)
	}
	var err error
	switch verb {
	case "create":
		_, err = parent.CreateBucket(name)
	case "create-if-absent":
		_, err = parent.CreateBucketIfNotExists(name)
	default:
		err = parent.DeleteBucket(name)
	}
	return outcome(err)
}

// del tells besides what bbolt answers whether the key was there.
func del(b *bolt.Bucket, key []byte) string {
	found, _ := b.Cursor().Seek(key)
	present := found != nil && bytes.Equal(found, key)
	if err := b.Delete(key); err != nil {
		return outcome(err)
	}
	return fmt.Sprintf("ok %t", present)
}

func get(b *bolt.Bucket, key []byte) string {
	value := b.Get(key)
	if value == nil {
		return "none"
	}
	return "ok " + valueText(value)
}

func seek(b *bolt.Bucket, key []byte) string {
	k, v := b.Cursor().Seek(key)
	if k == nil {
		return "none"
	}
	if v == nil {
		return fmt.Sprintf("ok %s bucket", hexText(k))
	}
	return fmt.Sprintf("ok %s %s", hexText(k), valueText(v))
}

// scan walks forwards only: the last leaf can be empty in the middle of a
// transaction, and there 1.3.6's Cursor.Last says that the bucket is.
func scan(b *bolt.Bucket) string {
	keys, buckets, hash := 0, 0, fnv.New64a()
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		hash.Write(k)
		if v == nil {
			buckets++
			hash.Write([]byte{1})
		} else {
			keys++
			hash.Write([]byte{0})
			hash.Write(v)
		}
	}
	return fmt.Sprintf("ok keys %d buckets %d hash %016x", keys, buckets, hash.Sum64())
}

// sweep deletes up to limit keys from the first one not below the given key,
// and stops at a bucket. It seeks anew each time: after Cursor.Delete bbolt's
// cursor skips an item.
func sweep(b *bolt.Bucket, from []byte, limit int) string {
	deleted := 0
	for ; deleted < limit; deleted++ {
		k, v := b.Cursor().Seek(from)
		if v == nil {
			break
		}
		if err := b.Delete(k); err != nil {
			return outcome(err)
		}
	}
	return fmt.Sprintf("ok %d", deleted)
}
