package main

import (
	"context"
	"sync"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
)

// What a watch has seen of additions.
type watched struct {
	lock  sync.Mutex
	added map[string]int
}

// Watches everything from the first revision on, also while the server is away.
func watch(store storage.Interface) *watched {
	options := storage.ListOptions{ResourceVersion: "1", Predicate: storage.Everything, Recursive: true}
	events, err := store.Watch(context.Background(), "/pods/", options)
	check(err)
	seen := &watched{added: map[string]int{}}
	go func() {
		for event := range events.ResultChan() {
			if event.Type == apiwatch.Error {
				fail("the watch ends: %v", event.Object)
			}
			if event.Type == apiwatch.Added {
				seen.lock.Lock()
				seen.added[event.Object.(*example.Pod).Name]++
				seen.lock.Unlock()
			}
		}
	}()
	return seen
}

// Waits until each of so many was added once.
func (seen *watched) wait(count int) {
	deadline := time.Now().Add(patience)
	for {
		seen.lock.Lock()
		added := len(seen.added)
		for name, times := range seen.added {
			if times != 1 {
				fail("%s was added %d times", name, times)
			}
		}
		seen.lock.Unlock()
		if added == count {
			return
		}
		if time.Now().After(deadline) {
			fail("the watch has seen %d of %d", added, count)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
