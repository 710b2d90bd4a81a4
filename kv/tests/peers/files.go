package main

import (
	"fmt"
	"io"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// lockTimeout bounds the wait for a file that another process holds.
const lockTimeout = 2 * time.Second

// view opens an existing file read-only and runs fn in one transaction.
func view(path string, fn func(*bolt.Tx) error) error {
	// bbolt 1.3.6 creates a missing file even when it opens read-only.
	if _, err := os.Stat(path); err != nil {
		return err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(fn)
}

// copyFile writes bbolt's hot backup of one file to another path.
func copyFile(path, target string) error {
	return view(path, func(tx *bolt.Tx) error {
		file, err := os.Create(target)
		if err != nil {
			return err
		}
		if _, err := tx.WriteTo(file); err != nil {
			file.Close()
			return err
		}
		return file.Close()
	})
}

// hold keeps a file open for writing until the input ends. It says "held" as
// soon as it has the lock.
func hold(path string, in io.Reader) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	fmt.Println("held")
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	return db.Close()
}
