package main

import "fmt"

// Changes what was seen as a bug of the server would: the judgement must notice.
func (run *run) plant(bug string) error {
	switch bug {
	case "":
		return nil
	case "stale-read":
		return run.plantStaleRead()
	case "lost-write":
		// As if the newest write had been acknowledged, and be gone.
		run.acknowledged[1] = input{kind: put, key: "history/never", value: "written"}
		return nil
	default:
		return fmt.Errorf("no bug is called %s", bug)
	}
}

// A read answers what was there before the write that it began after.
func (run *run) plantStaleRead() error {
	for at := range run.history {
		read := &run.history[at]
		if read.Input.(input).kind != get || read.Output.(output).value == "" {
			continue
		}
		for _, before := range run.history {
			old := before.Input.(input)
			written := old.kind == put && old.key == read.Input.(input).key
			if !written || before.Output.(output).unknown || old.value == read.Output.(output).value {
				continue
			}
			if run.replaced(before.Return, read.Call, old.key) {
				read.Output = output{value: old.value}
				return nil
			}
		}
	}
	return fmt.Errorf("no read could have been stale")
}

// Whether another write of the key lies wholly between the two times.
func (run *run) replaced(from, to int64, key string) bool {
	for _, operation := range run.history {
		in, out := operation.Input.(input), operation.Output.(output)
		if in.key == key && in.kind == put && !out.unknown && operation.Call > from && operation.Return < to {
			return true
		}
	}
	return false
}
