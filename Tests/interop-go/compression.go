package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"

	pb "grpc/testing"
)

// gzip that can let a message be, and that counts the messages that came compressed: the library tells neither.
//
// What a compressor leaves empty is sent as it is, with the flag clear; each message with the flag set is given to
// Decompress.
type watchedGzip struct {
	skips    int32
	inflated int32
}

var watched = &watchedGzip{}

func init() { encoding.RegisterCompressor(watched) }

func (each *watchedGzip) Name() string { return "gzip" }

func (each *watchedGzip) Compress(out io.Writer) (io.WriteCloser, error) {
	if atomic.LoadInt32(&each.skips) == 1 {
		return nothing{}, nil
	}
	return gzip.NewWriter(out), nil
}

func (each *watchedGzip) Decompress(in io.Reader) (io.Reader, error) {
	atomic.AddInt32(&each.inflated, 1)
	plain, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	var whole bytes.Buffer
	_, err = io.Copy(&whole, plain)
	return &whole, err
}

type nothing struct{}

func (nothing) Write(bytes []byte) (int, error) { return len(bytes), nil }
func (nothing) Close() error                    { return nil }

// Whether all responses within `body` came compressed, of which there is one.
func wasCompressed(body func()) bool {
	before := atomic.LoadInt32(&watched.inflated)
	body()
	return atomic.LoadInt32(&watched.inflated) == before+1
}

func compresses(holds bool) {
	skips := int32(1)
	if holds {
		skips = 0
	}
	atomic.StoreInt32(&watched.skips, skips)
}

func clientCompressedUnary(stub pb.TestServiceClient) {
	request := large()
	request.ExpectCompressed = &pb.BoolValue{Value: true}
	_, err := stub.UnaryCall(within(60), request)
	checkStatus(err, codes.InvalidArgument)
	// Announced, and not done.
	compresses(false)
	_, err = stub.UnaryCall(within(60), request, grpc.UseCompressor("gzip"))
	checkStatus(err, codes.InvalidArgument)
	for _, compressed := range []bool{true, false} {
		request.ExpectCompressed.Value = compressed
		compresses(compressed)
		callLarge(stub, request, within(60), grpc.UseCompressor("gzip"))
	}
	callLarge(stub, request, within(60))
}

func serverCompressedUnary(stub pb.TestServiceClient) {
	// This version of the library announces gzip only when it uses it; other clients always do.
	bound := metadata.AppendToOutgoingContext(within(60), "grpc-accept-encoding", "identity,deflate,gzip")
	for _, compressed := range []bool{true, false} {
		request := large()
		request.ResponseCompressed = &pb.BoolValue{Value: compressed}
		check(wasCompressed(func() { callLarge(stub, request, bound) }) == compressed, "the flag is not what was asked for")
		check(wasCompressed(func() {
			callLarge(stub, request, within(60), grpc.UseCompressor("gzip"))
		}) == compressed, "the flag is not what was asked for")
	}
	request := large()
	request.ResponseCompressed = &pb.BoolValue{Value: true}
	check(!wasCompressed(func() { callLarge(stub, request, within(60)) }), "compressed for who didn't say that it may be")
}

func clientCompressedStreaming(stub pb.TestServiceClient) {
	request := func(size int, compressed bool) *pb.StreamingInputCallRequest {
		compresses(compressed)
		return &pb.StreamingInputCallRequest{Payload: payload(size), ExpectCompressed: &pb.BoolValue{Value: compressed}}
	}
	probe, err := stub.StreamingInputCall(within(60))
	checkNil(err, "the call")
	checkNil(probe.Send(request(27182, true)), "a write")
	_, err = probe.CloseAndRecv()
	checkStatus(err, codes.InvalidArgument)

	stream, err := stub.StreamingInputCall(within(60), grpc.UseCompressor("gzip"))
	checkNil(err, "the call")
	checkNil(stream.Send(request(27182, true)), "a write")
	checkNil(stream.Send(request(45904, false)), "a write")
	response, err := stream.CloseAndRecv()
	checkNil(err, "the call")
	check(response.AggregatedPayloadSize == 73086, "another sum")
}

func serverCompressedStreaming(stub pb.TestServiceClient) {
	bound := metadata.AppendToOutgoingContext(within(60), "grpc-accept-encoding", "gzip")
	request := &pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{
		{Size: 31415, Compressed: &pb.BoolValue{Value: true}}, {Size: 92653, Compressed: &pb.BoolValue{Value: false}},
	}}
	stream, err := stub.StreamingOutputCall(bound, request)
	checkNil(err, "the call")
	for _, asked := range request.ResponseParameters {
		got := wasCompressed(func() { expect(stream, int(asked.Size)) })
		check(got == asked.Compressed.Value, "another flag")
	}
	expectEnd(stream)
}
