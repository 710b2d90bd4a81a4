// Peer drives Go's bbolt for the tests of the kv crate: it runs the same
// programs, prints the same dumps, and checks the files that kv wrote.
//
//	peer dump FILE              the logical content, one line an item
//	peer check FILE             bbolt's own check and this package's; exit 1 on a problem
//	peer copy FILE OUT          a hot backup through Tx.WriteTo
//	peer stats FILE             the figures of each top-level bucket, one line a bucket
//	peer table FILE             the rows of a table of kv, one line a row
//	peer compact FILE OUT BYTES bbolt's compaction, with so many bytes in a transaction
//	peer load FILE SHARE STEP COUNT EACH
//	                            a bucket of keys put with a fill percent
//	peer large FILE WORK COUNT  one large transaction, its seconds and its memory
//	peer run [FLAGS] FILE       execute the program on standard input
//	peer hold FILE              keep the file open for writing until standard input ends
//	peer busy FILE              commit to the file until standard input ends
//	peer serve                  all but hold and busy, as requests on standard input, many files a process
//
// It is built twice (bbolt.rs): with the bbolt that go.mod names, and, with
// GO111MODULE=off and GOPATH=/usr/share/gocode, with that of Debian's package
// golang-github-coreos-bbolt-dev.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: peer dump|check|copy|stats|table|compact|load|large|run|hold|busy|serve [FLAGS] [FILE] [OUT]")
		os.Exit(2)
	}
	var err error
	if os.Args[1] == "serve" {
		err = serve(in, out)
	} else {
		err = perform(os.Args[1], os.Args[2:], in, out)
	}
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// perform executes one subcommand. An error is a failed check or a mistake of
// the caller; what bbolt answers to a program's commands is output, not an error.
func perform(command string, args []string, in *bufio.Reader, out io.Writer) error {
	arguments := map[string]int{"dump": 1, "check": 1, "copy": 2, "hold": 1, "busy": 1, "stats": 1, "table": 1, "compact": 3, "load": 5, "large": 3}
	if n, ok := arguments[command]; ok && len(args) != n {
		return fmt.Errorf("%s takes %d argument(s), not %d", command, n, len(args))
	}
	switch command {
	case "dump":
		return dump(args[0], out)
	case "check":
		return check(args[0], out)
	case "copy":
		return copyFile(args[0], args[1])
	case "stats":
		return stats(args[0], out)
	case "table":
		return table(args[0], out)
	case "compact":
		return compactFile(args[0], args[1], args[2])
	case "load":
		return load(args[0], args[1:])
	case "large":
		count, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return large(args[0], args[1], count, out)
	case "hold":
		return hold(args[0], in)
	case "busy":
		return busy(args[0], in)
	case "run":
		return run(args, in, out)
	default:
		return fmt.Errorf("unknown command %q", command)
	}
}
