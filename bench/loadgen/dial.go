package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"
)

type dialFunc func() (net.Conn, error)

const connectTimeout = 5 * time.Second

// dialer opens connections as the options say. TLS is never resumed: every connection has its full handshake.
func dialer(o options) (dialFunc, error) {
	plain := func() (net.Conn, error) { return net.DialTimeout("tcp", o.address, connectTimeout) }
	if o.plain {
		return plain, nil
	}
	config, err := identity(o.folder)
	if err != nil {
		return nil, err
	}
	protocol := "h2"
	if o.protocol == "http1" {
		protocol = "http/1.1"
	}
	config.NextProtos = []string{protocol}
	return func() (net.Conn, error) {
		conn, err := plain()
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.Handshake(); err != nil {
			conn.Close()
			return nil, err
		}
		// who passes bytes on without reading them names no protocol
		if agreed := secure.ConnectionState().NegotiatedProtocol; agreed != protocol && protocol == "h2" {
			conn.Close()
			return nil, errors.New("the server does not speak HTTP/2")
		}
		return secure, nil
	}, nil
}

// identity presents the client's SVID, and takes any server certificate of the same authority, whatever it names.
func identity(folder string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "client.pem"), filepath.Join(folder, "client.key"))
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(filepath.Join(folder, "root.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	verify := func(state tls.ConnectionState) error {
		chain := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, certificate := range state.PeerCertificates[1:] {
			chain.Intermediates.AddCert(certificate)
		}
		_, err := state.PeerCertificates[0].Verify(chain)
		return err
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{pair},
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
		InsecureSkipVerify: true, // host names only: VerifyConnection verifies the chain
		VerifyConnection:   verify,
	}, nil
}
