package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// session is a program's file and, between begin and commit or rollback, its
// write transaction.
type session struct {
	path    string
	options bolt.Options
	db      *bolt.DB
	tx      *bolt.Tx
}

// run executes the program's lines up to the end of the input or a line with a
// single dot, and prints one outcome a line.
func run(args []string, in *bufio.Reader, out io.Writer) error {
	// The lines are taken in first, so that a failure leaves none for the next request.
	lines, err := readProgram(in)
	if err != nil {
		return err
	}
	s, err := newSession(args)
	if err != nil {
		return err
	}
	for _, line := range lines {
		outcome, err := s.execute(strings.Fields(line))
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		fmt.Fprintln(out, outcome)
	}
	if s.tx != nil {
		return fmt.Errorf("the program ends inside a transaction")
	}
	return s.db.Close()
}

func readProgram(in *bufio.Reader) ([]string, error) {
	var lines []string
	for {
		line, err := in.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		if line == "." || err == io.EOF && line == "" {
			return lines, nil
		} else if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
}

func newSession(args []string) (*session, error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	pageSize := flags.Int("page-size", 0, "page size of a new file in bytes; 0 is the system's")
	freelist := flags.String("freelist", "array", "array or hashmap")
	noFreelistSync := flags.Bool("no-freelist-sync", false, "do not store the freelist")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != 1 {
		return nil, fmt.Errorf("run takes one path, not %d", flags.NArg())
	}
	s := &session{path: flags.Arg(0), options: bolt.Options{
		Timeout:        lockTimeout,
		PageSize:       *pageSize,
		FreelistType:   bolt.FreelistType(*freelist),
		NoFreelistSync: *noFreelistSync,
		NoSync:         true, // what survives a power cut is no matter of this program
	}}
	return s, s.open()
}

func (s *session) open() (err error) {
	s.db, err = bolt.Open(s.path, 0o600, &s.options)
	return err
}

// execute runs one line. Its error is a mistake in the program.
func (s *session) execute(words []string) (string, error) {
	if len(words) == 0 {
		return "", fmt.Errorf("an empty line")
	}
	if (words[0] == "begin" || words[0] == "reopen") == (s.tx != nil) {
		return "", fmt.Errorf("out of place: transaction open: %v", s.tx != nil)
	}
	switch words[0] {
	case "begin":
		tx, err := s.db.Begin(true)
		s.tx = tx
		return outcome(err), nil
	case "commit":
		tx := s.tx
		s.tx = nil
		return outcome(tx.Commit()), nil
	case "rollback":
		tx := s.tx
		s.tx = nil
		return outcome(tx.Rollback()), nil
	case "reopen":
		if err := s.db.Close(); err != nil {
			return outcome(err), nil
		}
		return outcome(s.open()), nil
	default:
		return change(s.tx, words)
	}
}

// outcome names an error as the tests compare it.
func outcome(err error) string {
	switch err {
	case nil:
		return "ok"
	case bolt.ErrBucketNotFound:
		return "bucket-not-found"
	case bolt.ErrBucketExists:
		return "bucket-exists"
	case bolt.ErrBucketNameRequired:
		return "bucket-name-required"
	case bolt.ErrKeyRequired:
		return "key-required"
	case bolt.ErrKeyTooLarge:
		return "key-too-large"
	case bolt.ErrIncompatibleValue:
		return "incompatible-value"
	default:
		return "error: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
}
