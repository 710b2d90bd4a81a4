package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// table prints the rows of the bucket "readings", a table of kv whose keys are
// (i64, String, u16) and whose values are u64: it reads the documented form of keys
// (kv/src/table/key.rs) as any program would.
func table(path string, out io.Writer) error {
	return view(path, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("readings")).ForEach(func(k, v []byte) error {
			if len(k) < 8 || len(v) != 8 {
				return errors.New("too short for a row")
			}
			// The highest bit is flipped, so that negative numbers come first.
			at := int64(binary.BigEndian.Uint64(k) ^ 1<<63)
			place, rest, err := textPart(k[8:])
			if err != nil || len(rest) != 2 {
				return fmt.Errorf("%x is no key: %v", k, err)
			}
			_, err = fmt.Fprintf(out, "%d %x %d %d\n", at, place, binary.BigEndian.Uint16(rest), binary.BigEndian.Uint64(v))
			return err
		})
	})
}

// textPart takes a string off the front of a key in which another part follows: each 0
// is 0 255, and the end 0 1.
func textPart(key []byte) (text, rest []byte, err error) {
	for {
		zero := bytes.IndexByte(key, 0)
		if zero < 0 || zero+1 == len(key) {
			return nil, nil, errors.New("a string has no end")
		}
		text = append(text, key[:zero]...)
		mark := key[zero+1]
		key = key[zero+2:]
		switch mark {
		case 1:
			return text, key, nil
		case 255:
			text = append(text, 0)
		default:
			return nil, nil, errors.New("0 is followed by neither 1 nor 255")
		}
	}
}
