package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// serve answers requests until the input ends. A request is one line: a
// subcommand and its arguments, separated by tabs; after `run` follow the
// program's lines and a line with a single dot. The answer is the subcommand's
// output and a last line, ". ok" or ". MESSAGE".
//
// A panic inside bbolt is not caught (its locks would stay held): the process
// ends, and the other side sees the end of the output and what stands on
// standard error.
func serve(in *bufio.Reader, out *bufio.Writer) error {
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil
		} else if err != nil {
			return err
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		verdict := "ok"
		if err := perform(fields[0], fields[1:], in, out); err != nil {
			verdict = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		fmt.Fprintf(out, ". %s\n", verdict)
		if err := out.Flush(); err != nil {
			return err
		}
	}
}
