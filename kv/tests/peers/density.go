package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// stats prints the figures of every top-level bucket, in the order in which bbolt
// declares them: name in hex, then numbers.
func stats(path string, out io.Writer) error {
	return view(path, func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			s := b.Stats()
			_, err := fmt.Fprintln(out, pathText([][]byte{name}),
				s.BranchPageN, s.BranchOverflowN, s.LeafPageN, s.LeafOverflowN, s.KeyN, s.Depth,
				s.BranchAlloc, s.BranchInuse, s.LeafAlloc, s.LeafInuse,
				s.BucketN, s.InlineBucketN, s.InlineBucketInuse)
			return err
		})
	})
}

// compactFile writes bbolt's compacted copy of a file to another path.
func compactFile(path, target, txMaxSize string) error {
	size, err := strconv.ParseInt(txMaxSize, 10, 64)
	if err != nil {
		return err
	}
	source, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	defer source.Close()
	db, err := bolt.Open(target, 0o600, &bolt.Options{NoSync: true, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	if err := bolt.Compact(db, source, size); err != nil {
		db.Close()
		return err
	}
	return db.Close()
}

// load puts the keys STEP*n modulo COUNT for n from 0 to before COUNT into the
// bucket "b", EACH in a transaction, at a fill percent of SHARE.
func load(path string, args []string) error {
	share, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return err
	}
	var numbers [3]int
	for i := range numbers {
		if numbers[i], err = strconv.Atoi(args[1+i]); err != nil {
			return err
		}
	}
	step, count, each := numbers[0], numbers[1], numbers[2]
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	defer db.Close()
	value := bytes.Repeat([]byte("v"), 32)
	for first := 0; first < count; first += each {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			b.FillPercent = share
			for n := first; n < first+each && n < count; n++ {
				if err := b.Put([]byte(fmt.Sprintf("%08d", n*step%count)), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
