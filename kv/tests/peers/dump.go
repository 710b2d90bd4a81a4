package main

import (
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// dump prints every bucket, key, value and sequence of a file in key order.
func dump(path string, out io.Writer) error {
	return view(path, func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return dumpBucket([][]byte{name}, b, out)
		})
	})
}

func dumpBucket(path [][]byte, b *bolt.Bucket, out io.Writer) error {
	text := pathText(path)
	fmt.Fprintf(out, "bucket %s seq %d\n", text, b.Sequence())
	keys, buckets := 0, 0
	err := b.ForEach(func(k, v []byte) error {
		if v == nil {
			buckets++
			nested := append(append([][]byte{}, path...), k)
			return dumpBucket(nested, b.Bucket(k), out)
		}
		keys++
		fmt.Fprintf(out, "kv %s %s %s\n", text, hexText(k), valueText(v))
		return nil
	})
	fmt.Fprintf(out, "end %s keys %d buckets %d\n", text, keys, buckets)
	return err
}
