package main

import (
	"context"
	"io"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// raw carries messages as the bytes they are: what is between does not know what is in them either.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (raw) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = data
	return nil
}

const most = 64 << 20

func serveGRPC() error {
	listener, err := listen()
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(most))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "shop.Echo",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Unary", Handler: method(unary)},
			{MethodName: "Cancelled", Handler: method(awaitCancelled)},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Collect", Handler: collect, ClientStreams: true},
			{StreamName: "Repeat", Handler: repeat, ServerStreams: true},
			{StreamName: "Talk", Handler: talk, ClientStreams: true, ServerStreams: true},
		},
	}, struct{}{})
	return server.Serve(listener)
}

func method(serve func(context.Context, []byte) ([]byte, error)) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request []byte
		if err := decode(&request); err != nil {
			return nil, err
		}
		response, err := serve(ctx, request)
		return &response, err
	}
}

// cancelled holds a word for each call whose caller went away.
var cancelled = make(chan struct{}, 16)

// unary answers with what it is asked; metadata asks it to fail with a code, or to wait for its caller to leave.
func unary(ctx context.Context, request []byte) ([]byte, error) {
	asked, _ := metadata.FromIncomingContext(ctx)
	head := metadata.MD{}
	for _, name := range []string{"x-echo", "x-echo-bin"} {
		head.Append(name, asked.Get(name)...)
	}
	grpc.SetHeader(ctx, head)
	grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "last", "x-binary-bin", "\x00\xff\n\r"))
	if wanted := asked.Get("x-fail"); len(wanted) > 0 {
		code, _ := strconv.Atoi(wanted[0])
		failure, err := status.New(codes.Code(code), string(request)).
			WithDetails(&errdetails.ErrorInfo{Reason: "ASKED_TO", Domain: "example.org"})
		if err != nil {
			return nil, err
		}
		return nil, failure.Err()
	}
	if len(asked.Get("x-wait")) > 0 {
		<-ctx.Done()
		cancelled <- struct{}{}
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return request, nil
}

func awaitCancelled(ctx context.Context, _ []byte) ([]byte, error) {
	select {
	case <-cancelled:
		return []byte("cancelled"), nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func collect(_ any, stream grpc.ServerStream) error {
	var whole []byte
	for {
		var piece []byte
		err := stream.RecvMsg(&piece)
		if err == io.EOF {
			return stream.SendMsg(&whole)
		}
		if err != nil {
			return err
		}
		whole = append(whole, piece...)
	}
}

func repeat(_ any, stream grpc.ServerStream) error {
	var word []byte
	if err := stream.RecvMsg(&word); err != nil {
		return err
	}
	for i := range 10 {
		message := []byte(string(word) + " " + strconv.Itoa(i))
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
	return nil
}

// talk answers each message with the same; some callers end their side of it before they leave.
func talk(_ any, stream grpc.ServerStream) error {
	asked, _ := metadata.FromIncomingContext(stream.Context())
	for {
		var piece []byte
		err := stream.RecvMsg(&piece)
		if err == io.EOF && len(asked.Get("x-wait")) > 0 {
			<-stream.Context().Done()
			err = status.FromContextError(stream.Context().Err()).Err()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			cancelled <- struct{}{}
			return err
		}
		if err := stream.SendMsg(&piece); err != nil {
			return err
		}
	}
}
