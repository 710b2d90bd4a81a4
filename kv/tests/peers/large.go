package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// large does one large transaction in a new file, the work that the binary
// large_transactions of the benches measures, and prints the seconds that it took,
// commit included, and the most memory that the process had, in bytes.
func large(path, work string, count int, out io.Writer) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	defer db.Close()
	name := []byte("b")
	if work != "buckets" {
		err = db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(name)
			for i := 0; i < count && err == nil; i++ {
				err = b.Put([]byte(fmt.Sprintf("%08d", i)), []byte("value"))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	began := time.Now()
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(name)
		for i := 0; i < count && err == nil; i++ {
			key := []byte(fmt.Sprintf("%08d", i))
			switch work {
			case "buckets":
				var nested *bolt.Bucket
				if nested, err = b.CreateBucket(key); err == nil {
					err = nested.Put([]byte("key"), []byte("value"))
				}
			case "by-first":
				first, _ := b.Cursor().First()
				err = b.Delete(first)
			default:
				err = b.Delete(key)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	var most uint64
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM:") {
			_, err = fmt.Sscanf(line, "VmHWM: %d kB", &most)
		}
	}
	if err == nil {
		_, err = fmt.Fprintln(out, took, most*1024)
	}
	return err
}
