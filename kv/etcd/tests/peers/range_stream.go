package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

// The parts, merged, are the answer to the same Range.
func rangeStream(ctx context.Context, client *clientv3.Client) error {
	for n := range 300 {
		if _, err := client.Put(ctx, fmt.Sprintf("recipes/stream/%03d", n), fmt.Sprint(n)); err != nil {
			return err
		}
	}
	kv := pb.NewKVClient(client.ActiveConnection())
	for _, limit := range []int64{0, 1, 10, 25, 300, 1000} {
		request := &pb.RangeRequest{Key: []byte("recipes/stream/"), RangeEnd: []byte("recipes/stream0"), Limit: limit}
		whole, err := kv.Range(ctx, request)
		if err != nil {
			return err
		}
		stream, err := kv.RangeStream(ctx, request)
		if err != nil {
			return err
		}
		merged := &pb.RangeResponse{}
		for {
			part, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			proto.Merge(merged, part.RangeResponse)
		}
		if !proto.Equal(whole, merged) {
			return fmt.Errorf("limit %d: %d keys of %d, more %v %v", limit, len(merged.Kvs), len(whole.Kvs), merged.More, whole.More)
		}
	}
	return nil
}
