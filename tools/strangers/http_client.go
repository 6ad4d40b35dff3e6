package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"time"
)

type ask struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Headers [][2]string `json:"headers"`
	// Body is "fixed" or "chunked", or empty for none.
	Body     string      `json:"body"`
	Size     int         `json:"size"`
	Trailers [][2]string `json:"trailers"`
	Follow   bool        `json:"follow"`
}

type answer struct {
	Interim  []interim   `json:"interim"`
	Status   int         `json:"status"`
	Headers  [][2]string `json:"headers"`
	Body     sum         `json:"body"`
	Text     string      `json:"text"`
	Trailers [][2]string `json:"trailers"`
	// Fresh: it was the first on its connection.
	Fresh bool   `json:"fresh"`
	Error string `json:"error"`
}

type interim struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
}

func askHTTP() error {
	var orders struct {
		Base  string `json:"base"`
		Host  string `json:"host"`
		HTTP2 bool   `json:"http2"`
		Asks  []ask  `json:"asks"`
	}
	if err := readOrders(&orders); err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!orders.HTTP2)
	protocols.SetUnencryptedHTTP2(orders.HTTP2)
	transport := &http.Transport{Protocols: protocols, ExpectContinueTimeout: time.Second}
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	answers := make([]answer, 0, len(orders.Asks))
	for _, each := range orders.Asks {
		answers = append(answers, each.answerFrom(client, orders.Base, orders.Host))
	}
	return tell(answers)
}

func (a ask) answerFrom(client http.Client, base, host string) (got answer) {
	got.Interim, got.Headers, got.Trailers = []interim{}, [][2]string{}, [][2]string{}
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { got.Fresh = !info.Reused },
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			got.Interim = append(got.Interim, interim{code, pairs(http.Header(header))})
			return nil
		},
	}
	if !a.Follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	request, err := a.request(base, host)
	if err == nil {
		err = got.read(client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace))))
	}
	if err != nil {
		got.Error = err.Error()
	}
	return got
}

func (a ask) request(base, host string) (*http.Request, error) {
	var body io.Reader
	if a.Body != "" {
		body = bytes.NewReader(filled(a.Size))
	}
	request, err := http.NewRequest(a.Method, base+a.Path, body)
	if err != nil {
		return nil, err
	}
	request.Host = host
	request.Header.Set("User-Agent", "net/http")
	for _, header := range a.Headers {
		request.Header.Add(header[0], header[1])
	}
	if a.Body == "chunked" {
		request.ContentLength = -1
	}
	if len(a.Trailers) > 0 {
		request.Trailer = http.Header{}
		for _, trailer := range a.Trailers {
			request.Trailer.Add(trailer[0], trailer[1])
		}
	}
	return request, nil
}

func (got *answer) read(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	got.Status = response.StatusCode
	got.Headers = pairs(response.Header)
	if response.ContentLength >= 0 {
		got.Headers = append(got.Headers, [2]string{"(length)", fmt.Sprint(response.ContentLength)})
	}
	got.Body = sumOf(body)
	if len(body) <= 4096 {
		got.Text = string(body)
	}
	got.Trailers = pairs(response.Trailer)
	return err
}

// pairs are the lines of a header, by name: net/http does not keep their order.
func pairs(header http.Header) [][2]string {
	list := [][2]string{}
	for name, values := range header {
		for _, value := range values {
			list = append(list, [2]string{name, value})
		}
	}
	slices.SortStableFunc(list, func(a, b [2]string) int { return bytes.Compare([]byte(a[0]), []byte(b[0])) })
	return list
}
