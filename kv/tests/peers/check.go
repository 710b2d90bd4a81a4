package main

import (
	"bytes"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// check prints the problems of a file: those that bbolt's Tx.Check finds, those
// that a search or a walk through its API shows, and those of the trees' shape.
func check(path string, out io.Writer) error {
	problems := 0
	report := func(format string, args ...interface{}) {
		problems++
		fmt.Fprintf(out, format+"\n", args...)
	}
	err := view(path, func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			report("%v", err)
		}
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return checkSearch([][]byte{name}, b, report)
		})
	})
	if err != nil {
		return err
	}
	if err := checkShape(path, report); err != nil {
		return err
	}
	if problems > 0 {
		return fmt.Errorf("%d problem(s)", problems)
	}
	return nil
}

// checkSearch reports keys that do not ascend, and keys that a walk shows and a
// search does not find: bbolt 1.3.6's check looks at page ids alone.
func checkSearch(path [][]byte, b *bolt.Bucket, report func(string, ...interface{})) error {
	var last []byte
	return b.ForEach(func(k, v []byte) error {
		if bytes.Compare(last, k) >= 0 {
			report("bucket %s: key %x does not follow %x in order", pathText(path), k, last)
		}
		last = append([]byte{}, k...)
		if found, _ := b.Cursor().Seek(k); !bytes.Equal(found, k) {
			report("bucket %s: a search for %x ends at %x", pathText(path), k, found)
		}
		if v != nil {
			return nil
		}
		nested := append(append([][]byte{}, path...), k)
		return checkSearch(nested, b.Bucket(k), report)
	})
}
