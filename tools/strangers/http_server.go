package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const large = 10 << 20

// serveHTTP answers in every shape that net/http gives a response, by path.
func serveHTTP() error {
	listener, err := listen()
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Handler: shapes(), Protocols: protocols}
	return server.Serve(listener)
}

func shapes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/seen", seen)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(body)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(large))
		w.Write(filled(large))
	})
	mux.HandleFunc("/pieces", func(w http.ResponseWriter, r *http.Request) {
		body := filled(large)
		for at := 0; at < len(body); at += large / 20 {
			w.Write(body[at : at+large/20])
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"X-Unannounced", "2")
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Final", "yes")
		io.WriteString(w, "late")
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Write(filled(100_000))
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		zip.Write(filled(100_000))
		zip.Close()
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"one"`)
		http.ServeContent(w, r, "file.txt", time.Unix(1_700_000_000, 0), bytes.NewReader(filled(100_000)))
	})
	mux.Handle("/redirect", http.RedirectHandler("/status/404", http.StatusFound))
	mux.HandleFunc("/cookies", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		w.WriteHeader(code)
		if code != http.StatusNoContent && code != http.StatusNotModified {
			io.WriteString(w, "status "+r.PathValue("code"))
		}
	})
	return mux
}

// seen tells of the request all that net/http shows to an app.
func seen(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"method":   r.Method,
		"target":   r.RequestURI,
		"host":     r.Host,
		"headers":  pairs(r.Header),
		"length":   r.ContentLength,
		"body":     sumOf(body),
		"trailers": pairs(r.Trailer),
	})
}
