package main

import (
	"context"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// ending is how one call came out, as its caller saw it.
type ending struct {
	Call     string      `json:"call"`
	Code     string      `json:"code"`
	Message  string      `json:"message"`
	Details  []string    `json:"details"`
	Messages []sum       `json:"messages"`
	Head     [][2]string `json:"head"`
	Tail     [][2]string `json:"tail"`
}

type caller struct {
	connection *grpc.ClientConn
	endings    []ending
}

func askGRPC() error {
	var orders struct {
		Address   string `json:"address"`
		Authority string `json:"authority"`
	}
	if err := readOrders(&orders); err != nil {
		return err
	}
	connection, err := grpc.NewClient("passthrough:///"+orders.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority(orders.Authority),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(most)))
	if err != nil {
		return err
	}
	defer connection.Close()
	c := &caller{connection: connection}
	c.unaries()
	c.streams()
	c.leavings()
	return tell(c.endings)
}

func (c *caller) unaries() {
	c.unary("unary", "Unary", []byte("hello"))
	c.unary("an empty message", "Unary", nil)
	c.unary("8 MiB both ways", "Unary", filled(8<<20))
	c.unary("compressed", "Unary", filled(1<<20), grpc.UseCompressor("gzip"))
	c.unary("no such method", "Nothing", []byte("hello"))
	asking := metadata.Pairs("x-echo", "one", "x-echo", "two", "x-echo-bin", "\x00\xff\r\n", "x-echo-bin", "")
	c.with("metadata", asking, func(ctx context.Context, name string) { c.unaryIn(ctx, name, "Unary", []byte("hello")) })
	for _, code := range []string{"1", "3", "5", "7", "8", "9", "10", "13", "14", "16"} {
		c.with("failure "+code, metadata.Pairs("x-fail", code), func(ctx context.Context, name string) {
			c.unaryIn(ctx, name, "Unary", []byte("nö: 100 %\n"))
		})
	}
}

func (c *caller) streams() {
	words := [][]byte{[]byte("a"), []byte("b"), nil, []byte("c")}
	c.stream("client streaming", "Collect", true, false, words)
	c.stream("client streaming of nothing", "Collect", true, false, nil)
	c.stream("client streaming of 16 MiB", "Collect", true, false, slices.Repeat([][]byte{filled(1 << 20)}, 16))
	c.stream("server streaming", "Repeat", false, true, [][]byte{[]byte("again")})
	c.stream("server streaming of 10 MiB", "Repeat", false, true, [][]byte{filled(1 << 20)})
	c.stream("bidirectional", "Talk", true, true, words)
	c.stream("bidirectional of nothing", "Talk", true, true, nil)
}

// leavings are calls whose caller does not wait for their end; the server tells that it noticed.
func (c *caller) leavings() {
	within, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer stop()
	c.unaryIn(metadata.NewOutgoingContext(within, metadata.Pairs("x-wait", "1")), "deadline", "Unary", nil)
	c.unary("deadline, as the server saw it", "Cancelled", nil)

	leaving, leave := context.WithCancel(context.Background())
	stream, err := c.connection.NewStream(leaving, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/shop.Echo/Talk")
	word := []byte("one")
	var answer []byte
	for _, step := range []func() error{func() error { return stream.SendMsg(&word) }, func() error { return stream.RecvMsg(&answer) }} {
		if err == nil {
			err = step()
		}
	}
	leave()
	if err == nil {
		err = stream.RecvMsg(new([]byte))
	}
	c.ended("cancelled", err, []sum{sumOf(answer)}, nil, nil)
	c.unary("cancelled, as the server saw it", "Cancelled", nil)
}

func (c *caller) with(name string, asking metadata.MD, call func(context.Context, string)) {
	call(metadata.NewOutgoingContext(context.Background(), asking), name)
}

func (c *caller) unary(name, method string, request []byte, options ...grpc.CallOption) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	c.unaryIn(ctx, name, method, request, options...)
}

func (c *caller) unaryIn(ctx context.Context, name, method string, request []byte, options ...grpc.CallOption) {
	var head, tail metadata.MD
	var response []byte
	options = append(options, grpc.Header(&head), grpc.Trailer(&tail))
	err := c.connection.Invoke(ctx, "/shop.Echo/"+method, &request, &response, options...)
	c.ended(name, err, []sum{sumOf(response)}, head, tail)
}

func (c *caller) stream(name, method string, up, down bool, words [][]byte) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	messages := []sum{}
	stream, err := c.connection.NewStream(ctx, &grpc.StreamDesc{ClientStreams: up, ServerStreams: down}, "/shop.Echo/"+method)
	if err != nil {
		c.ended(name, err, messages, nil, nil)
		return
	}
	go func() {
		for _, word := range words {
			if stream.SendMsg(&word) != nil {
				return
			}
		}
		stream.CloseSend()
	}()
	for err == nil {
		var message []byte
		if err = stream.RecvMsg(&message); err == nil {
			messages = append(messages, sumOf(message))
		}
	}
	if err == io.EOF {
		err = nil
	}
	head, _ := stream.Header()
	c.ended(name, err, messages, head, stream.Trailer())
}

func (c *caller) ended(name string, err error, messages []sum, head, tail metadata.MD) {
	end, _ := status.FromError(err)
	details := []string{}
	for _, detail := range end.Proto().GetDetails() {
		if bytes, err := (proto.MarshalOptions{Deterministic: true}).Marshal(detail); err == nil {
			details = append(details, hex.EncodeToString(bytes))
		}
	}
	c.endings = append(c.endings, ending{name, end.Code().String(), end.Message(), details, messages, lines(head), lines(tail)})
}

// lines are metadata by name; binary values are shown in hexadecimal.
func lines(md metadata.MD) [][2]string {
	list := [][2]string{}
	for _, name := range slices.Sorted(maps.Keys(md)) {
		for _, value := range md[name] {
			if len(name) > 4 && name[len(name)-4:] == "-bin" {
				value = hex.EncodeToString([]byte(value))
			}
			list = append(list, [2]string{name, value})
		}
	}
	return list
}
