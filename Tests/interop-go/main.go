// gRPC's standard interop cases by gRPC for Go.
//
// Usage: client ADDRESS CASE [AUTHORITY CERTIFICATE KEY]: mutual TLS with the PEM files, plain text without them.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/ioutil"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	pb "grpc/testing"
)

const (
	largeRequest  = 271828
	largeResponse = 314159
)

var (
	requests  = []int{27182, 8, 1828, 45904}
	responses = []int{31415, 9, 2653, 58979}
)

var cases = map[string]func(pb.TestServiceClient){
	"empty_unary":                 emptyUnary,
	"large_unary":                 largeUnary,
	"client_streaming":            clientStreaming,
	"server_streaming":            serverStreaming,
	"slow_consumer":               slowConsumer,
	"half_duplex":                 halfDuplex,
	"ping_pong":                   pingPong,
	"empty_stream":                emptyStream,
	"cancel_after_begin":          cancelAfterBegin,
	"cancel_after_first_response": cancelAfterFirstResponse,
	"timeout_on_sleeping_server":  timeoutOnSleepingServer,
	"pick_first_unary":            pickFirstUnary,
	"custom_metadata":             customMetadata,
	"status_code_and_message":     statusCodeAndMessage,
	"special_status_message":      specialStatusMessage,
	"unimplemented_method":        unimplementedMethod,
	"client_compressed_unary":     clientCompressedUnary,
	"server_compressed_unary":     serverCompressedUnary,
	"client_compressed_streaming": clientCompressedStreaming,
	"server_compressed_streaming": serverCompressedStreaming,
	"rpc_soak":                    rpcSoak,
	"concurrent_soak":             concurrentSoak,
}

func main() {
	if len(os.Args) != 3 && len(os.Args) != 6 {
		fail("usage: client ADDRESS CASE [AUTHORITY CERTIFICATE KEY]")
	}
	address, name := os.Args[1], os.Args[2]
	options := []grpc.DialOption{grpc.WithInsecure()}
	if len(os.Args) == 6 {
		options = []grpc.DialOption{grpc.WithTransportCredentials(mutualTLS(os.Args[3], os.Args[4], os.Args[5]))}
	}
	switch name {
	case "channel_soak":
		for range make([]int, 50) {
			connection := dial(address, options)
			largeUnary(pb.NewTestServiceClient(connection))
			checkNil(connection.Close(), "closing")
		}
	case "unimplemented_service":
		_, err := pb.NewUnimplementedServiceClient(dial(address, options)).UnimplementedCall(within(60), &pb.Empty{})
		checkStatus(err, codes.Unimplemented)
	default:
		run, isKnown := cases[name]
		check(isKnown, "no case "+name)
		run(pb.NewTestServiceClient(dial(address, options)))
	}
}

func dial(address string, options []grpc.DialOption) *grpc.ClientConn {
	connection, err := grpc.DialContext(within(20), address, append(options, grpc.WithBlock(), grpc.FailOnNonTempDialError(true))...)
	checkNil(err, "connecting")
	return connection
}

func mutualTLS(authority, certificate, key string) credentials.TransportCredentials {
	bytes, err := ioutil.ReadFile(authority)
	checkNil(err, "reading")
	pool := x509.NewCertPool()
	check(pool.AppendCertsFromPEM(bytes), "no certificate in "+authority)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	checkNil(err, "reading")
	return credentials.NewTLS(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})
}

func within(seconds int) context.Context {
	// What is left of it when the process ends, ends with it.
	bound, _ := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
	return bound
}

func rpcSoak(stub pb.TestServiceClient) {
	for range make([]int, 100) {
		largeUnary(stub)
	}
}

// More calls at once than the server takes on one connection: the rest waits for its turn.
func concurrentSoak(stub pb.TestServiceClient) {
	var group sync.WaitGroup
	for range make([]int, 300) {
		group.Add(1)
		go func() {
			defer group.Done()
			for range make([]int, 10) {
				emptyUnary(stub)
			}
			pingPong(stub)
		}()
	}
	group.Wait()
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}

func check(holds bool, text string) {
	if !holds {
		fail(text)
	}
}

func checkNil(err error, doing string) {
	if err != nil {
		fail(doing + ": " + err.Error())
	}
}

func checkStatus(err error, code codes.Code) {
	if status.Code(err) != code {
		fail(fmt.Sprintf("status %v (%v), not %v", status.Code(err), err, code))
	}
}
