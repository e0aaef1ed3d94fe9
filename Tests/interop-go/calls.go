package main

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "grpc/testing"
)

func payload(count int) *pb.Payload { return &pb.Payload{Body: make([]byte, count)} }

func large() *pb.SimpleRequest {
	return &pb.SimpleRequest{ResponseSize: largeResponse, Payload: payload(largeRequest)}
}

func ping(asked, size int) *pb.StreamingOutputCallRequest {
	return &pb.StreamingOutputCallRequest{
		ResponseParameters: []*pb.ResponseParameters{{Size: int32(size)}}, Payload: payload(asked),
	}
}

func checkPayload(got *pb.Payload, size int) {
	check(len(got.GetBody()) == size, "another size of payload")
	for _, each := range got.GetBody() {
		check(each == 0, "another payload")
	}
}

type responder interface {
	Recv() (*pb.StreamingOutputCallResponse, error)
}

func expect(stream responder, size int) {
	response, err := stream.Recv()
	checkNil(err, "reading a response")
	checkPayload(response.Payload, size)
}

func expectEnd(stream responder) {
	_, err := stream.Recv()
	check(err == io.EOF, "a response too many, or another status")
}

func emptyUnary(stub pb.TestServiceClient) {
	_, err := stub.EmptyCall(within(60), &pb.Empty{})
	checkNil(err, "the call")
}

func callLarge(stub pb.TestServiceClient, request *pb.SimpleRequest, bound context.Context, options ...grpc.CallOption) {
	response, err := stub.UnaryCall(bound, request, options...)
	checkNil(err, "the call")
	checkPayload(response.Payload, largeResponse)
}

func largeUnary(stub pb.TestServiceClient) { callLarge(stub, large(), within(60)) }

func clientStreaming(stub pb.TestServiceClient) {
	stream, err := stub.StreamingInputCall(within(60))
	checkNil(err, "the call")
	for _, size := range requests {
		checkNil(stream.Send(&pb.StreamingInputCallRequest{Payload: payload(size)}), "a write")
	}
	response, err := stream.CloseAndRecv()
	checkNil(err, "the call")
	check(response.AggregatedPayloadSize == 74922, "another sum")
}

func serverStreaming(stub pb.TestServiceClient) {
	request := &pb.StreamingOutputCallRequest{}
	for _, size := range responses {
		request.ResponseParameters = append(request.ResponseParameters, &pb.ResponseParameters{Size: int32(size)})
	}
	stream, err := stub.StreamingOutputCall(within(60), request)
	checkNil(err, "the call")
	for _, size := range responses {
		expect(stream, size)
	}
	expectEnd(stream)
}

func slowConsumer(stub pb.TestServiceClient) {
	request := &pb.StreamingOutputCallRequest{}
	for range make([]int, 2000) {
		request.ResponseParameters = append(request.ResponseParameters, &pb.ResponseParameters{Size: 1030})
	}
	stream, err := stub.StreamingOutputCall(within(120), request)
	checkNil(err, "the call")
	for range request.ResponseParameters {
		expect(stream, 1030)
		time.Sleep(time.Millisecond)
	}
	expectEnd(stream)
}

func halfDuplex(stub pb.TestServiceClient) {
	stream, err := stub.HalfDuplexCall(within(60))
	checkNil(err, "the call")
	for _, size := range responses {
		checkNil(stream.Send(ping(0, size)), "a write")
	}
	checkNil(stream.CloseSend(), "ending the requests")
	for _, size := range responses {
		expect(stream, size)
	}
	expectEnd(stream)
}

func pingPong(stub pb.TestServiceClient) {
	stream, err := stub.FullDuplexCall(within(60))
	checkNil(err, "the call")
	for index := range requests {
		checkNil(stream.Send(ping(requests[index], responses[index])), "a write")
		expect(stream, responses[index])
	}
	checkNil(stream.CloseSend(), "ending the requests")
	expectEnd(stream)
}

func emptyStream(stub pb.TestServiceClient) {
	stream, err := stub.FullDuplexCall(within(60))
	checkNil(err, "the call")
	checkNil(stream.CloseSend(), "ending the requests")
	expectEnd(stream)
}

func cancelAfterBegin(stub pb.TestServiceClient) {
	bound, cancel := context.WithCancel(within(60))
	stream, err := stub.StreamingInputCall(bound)
	checkNil(err, "the call")
	cancel()
	_, err = stream.CloseAndRecv()
	checkStatus(err, codes.Canceled)
}

func cancelAfterFirstResponse(stub pb.TestServiceClient) {
	bound, cancel := context.WithCancel(within(60))
	stream, err := stub.FullDuplexCall(bound)
	checkNil(err, "the call")
	checkNil(stream.Send(ping(27182, 31415)), "a write")
	expect(stream, 31415)
	cancel()
	_, err = stream.Recv()
	checkStatus(err, codes.Canceled)
}

func timeoutOnSleepingServer(stub pb.TestServiceClient) {
	for _, milliseconds := range []int{1, 300} {
		bound, cancel := context.WithTimeout(context.Background(), time.Duration(milliseconds)*time.Millisecond)
		defer cancel()
		request := ping(27182, 31415)
		request.ResponseParameters[0].IntervalUs = 60000000
		stream, err := stub.FullDuplexCall(bound)
		if err == nil {
			// The stream may have ended by now; its status says so.
			_ = stream.Send(request)
			_, err = stream.Recv()
		}
		checkStatus(err, codes.DeadlineExceeded)
	}
}

func pickFirstUnary(stub pb.TestServiceClient) {
	var first string
	for index := range make([]int, 100) {
		response, err := stub.UnaryCall(within(60), &pb.SimpleRequest{FillServerId: true})
		checkNil(err, "the call")
		if index == 0 {
			first = response.ServerId
		}
		check(first != "" && response.ServerId == first, "another server")
	}
}

const (
	initialKey  = "x-grpc-test-echo-initial"
	trailingKey = "x-grpc-test-echo-trailing-bin"
	initial     = "test_initial_metadata_value"
	trailing    = "\x0a\x0b\x0a\x0b\x0a\x0b"
)

func checkFields(header, trailer metadata.MD) {
	check(len(header[initialKey]) == 1 && header[initialKey][0] == initial, "the initial metadata did not come back")
	check(len(trailer[trailingKey]) == 1 && trailer[trailingKey][0] == trailing, "the trailing metadata did not come back")
}

func customMetadata(stub pb.TestServiceClient) {
	bound := metadata.AppendToOutgoingContext(within(60), initialKey, initial, trailingKey, trailing)
	var header, trailer metadata.MD
	callLarge(stub, large(), bound, grpc.Header(&header), grpc.Trailer(&trailer))
	checkFields(header, trailer)

	stream, err := stub.FullDuplexCall(bound)
	checkNil(err, "the call")
	checkNil(stream.Send(ping(largeRequest, largeResponse)), "a write")
	checkNil(stream.CloseSend(), "ending the requests")
	expect(stream, largeResponse)
	expectEnd(stream)
	header, err = stream.Header()
	checkNil(err, "the headers")
	checkFields(header, stream.Trailer())
}

func statusOf(stub pb.TestServiceClient, message string) {
	wanted := &pb.EchoStatus{Code: int32(codes.Unknown), Message: message}
	_, err := stub.UnaryCall(within(60), &pb.SimpleRequest{ResponseStatus: wanted})
	checkStatus(err, codes.Unknown)
	check(status.Convert(err).Message() == message, "another message: "+status.Convert(err).Message())

	stream, err := stub.FullDuplexCall(within(60))
	checkNil(err, "the call")
	checkNil(stream.Send(&pb.StreamingOutputCallRequest{ResponseStatus: wanted}), "a write")
	checkNil(stream.CloseSend(), "ending the requests")
	_, err = stream.Recv()
	checkStatus(err, codes.Unknown)
	check(status.Convert(err).Message() == message, "another message: "+status.Convert(err).Message())
}

func statusCodeAndMessage(stub pb.TestServiceClient) { statusOf(stub, "test status message") }

func specialStatusMessage(stub pb.TestServiceClient) {
	statusOf(stub, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")
}

func unimplementedMethod(stub pb.TestServiceClient) {
	_, err := stub.UnimplementedCall(within(60), &pb.Empty{})
	checkStatus(err, codes.Unimplemented)
}
