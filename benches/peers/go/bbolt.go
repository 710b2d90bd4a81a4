package main

import (
	"bytes"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
)

var bucketName = []byte("pairs")

// bboltStore is bbolt with the free list that the engine's name says: `array` or `map`, and with `nofs` not written.
type bboltStore struct{ db *bolt.DB }

func openBbolt(name, dir string, durable bool) (engine, error) {
	options := *bolt.DefaultOptions
	options.FreelistType = bolt.FreelistArrayType
	if strings.HasPrefix(name, "bbolt-map") {
		options.FreelistType = bolt.FreelistMapType
	}
	options.NoFreelistSync = strings.HasSuffix(name, "-nofs")
	options.NoSync = !durable
	db, err := bolt.Open(filepath.Join(dir, "bbolt.db"), 0o600, &options)
	if err != nil {
		return nil, err
	}
	if db.View(func(tx *bolt.Tx) error {
		if tx.Bucket(bucketName) == nil {
			return errMissing
		}
		return nil
	}) == nil {
		return bboltStore{db}, nil
	}
	return bboltStore{db}, db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket(bucketName)
		return err
	})
}

func (s bboltStore) close() error { return s.db.Close() }

func putAll(p pairs) func(tx *bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		bucket := tx.Bucket(bucketName)
		for _, number := range p.numbers {
			if err := bucket.Put(p.key(number), p.value(number)); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s bboltStore) put(p pairs) error   { return s.db.Update(putAll(p)) }
func (s bboltStore) batch(p pairs) error { return s.db.Batch(putAll(p)) }

func (s bboltStore) delete(p pairs) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(bucketName)
		for _, number := range p.numbers {
			if err := bucket.Delete(p.key(number)); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteWhere first collects the keys: after Cursor.Delete, Next skips an item.
func (s bboltStore) deleteWhere(from, to []byte, dead func(key []byte) bool) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(bucketName)
		var keys [][]byte
		cursor := bucket.Cursor()
		for key, _ := cursor.Seek(from); key != nil && (to == nil || bytes.Compare(key, to) < 0); key, _ = cursor.Next() {
			if dead(key) {
				keys = append(keys, key)
			}
		}
		for _, key := range keys {
			if err := bucket.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s bboltStore) deleteRange() error {
	return s.deleteWhere(rangeFrom, rangeTo, func([]byte) bool { return true })
}

func (s bboltStore) retain() error {
	return s.deleteWhere(nil, nil, func(key []byte) bool { return !kept(key) })
}

func (s bboltStore) get(p pairs) (sum uint64, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(bucketName)
		for _, number := range p.numbers {
			value := bucket.Get(p.key(number))
			if value == nil {
				return errMissing
			}
			sum += digest(value)
		}
		return nil
	})
	return sum, err
}

func (s bboltStore) scan(p pairs, length uint64) (sum uint64, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		for _, number := range p.numbers {
			cursor := tx.Bucket(bucketName).Cursor()
			key, value := cursor.Seek(p.key(number))
			for left := length; key != nil && left > 0; left-- {
				sum += digest(value)
				key, value = cursor.Next()
			}
		}
		return nil
	})
	return sum, err
}
