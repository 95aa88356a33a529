package web

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// errNoAccept ends the server of which secure takes what the library made of it.
var errNoAccept = errors.New("accepts nothing")

// shut is a listener that accepts nothing, and leaves the one that it stands for open.
type shut struct{ net.Listener }

func (shut) Accept() (net.Conn, error) { return nil, errNoAccept }
func (shut) Close() error              { return nil }

// secure returns pages behind the users of a web configuration file, and its TLS configuration,
// nil for plain HTTP. Both read the file again for each request and connection.
//
// The library has one function, which serves. Serving is the server's own here, so that
// its bounds and the guard come first: passwords are compared only for requests that pass them.
func secure(l net.Listener, file string, pages http.Handler, log *slog.Logger) (http.Handler, *tls.Config, error) {
	s := &http.Server{Handler: pages}
	if err := toolkit.Serve(shut{l}, s, &toolkit.FlagConfig{WebConfigFile: &file}, log); !errors.Is(err, errNoAccept) {
		return nil, nil, fmt.Errorf("read web configuration %s: %w", file, err)
	}
	users := s.Handler
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/__health" && local(r) { // of weir health, which has no password
			pages.ServeHTTP(w, r)
			return
		}
		users.ServeHTTP(w, r)
	})
	if s.TLSConfig == nil {
		return handler, nil, nil
	}
	config := s.TLSConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	again := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := again(hello)
		if err == nil {
			c.NextProtos = config.NextProtos
		}
		return c, err
	}
	return handler, config, nil
}

// ValidateConfig checks a web configuration file, and the certificates that it names.
func ValidateConfig(file string) error {
	if err := toolkit.Validate(file); err != nil {
		return fmt.Errorf("read web configuration %s: %w", file, err)
	}
	return nil
}
