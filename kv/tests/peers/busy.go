package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

// busy commits to a file, about a thousand times a second, until the input ends or the process is killed. What each
// commit does follows from its number, and kv/tests/compat/live.rs knows it too. Nothing is synced, so that the disk
// does not set the pace; the order of the writes is the same.
func busy(path string, in io.Reader) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	db.NoSync = true
	ended := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return err
			}
			return db.Close()
		default:
		}
		if err := db.Update(commitNext); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func commitNext(tx *bolt.Tx) error {
	b, err := tx.CreateBucketIfNotExists([]byte("live"))
	if err != nil {
		return err
	}
	last, _ := strconv.Atoi(string(b.Get([]byte("last"))))
	n := last + 1
	number := []byte(strconv.Itoa(n))
	key := []byte(fmt.Sprintf("%03d", n*37%128))
	if n%5 == 0 {
		err = b.Delete(key)
	} else {
		err = b.Put(key, append(append([]byte{}, number...), bytes.Repeat([]byte{'x'}, n*37%2500)...))
	}
	if err != nil {
		return err
	}
	switch n % 500 {
	case 1:
		err = b.Put([]byte("big"), bytes.Repeat(number, 50000))
	case 20:
		err = b.Delete([]byte("big"))
	}
	if err != nil {
		return err
	}
	return b.Put([]byte("last"), number)
}
