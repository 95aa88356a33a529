package kafka

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/output"
)

// Group is the heading of the options in the help.
const Group option.Group = "Kafka"

// A Cluster is the part of the options that those who write to Kafka and those who read
// from it have in common: which topic of which cluster, and how to connect to it.
type Cluster struct {
	Brokers []string // host:port
	Topic   string
	Version string // oldest protocol version of the cluster

	TLS                              bool
	TLSCA, TLSClient, TLSKey         string // files; "" is none, or the system's authorities
	TLSInsecure                      bool
	SASL                             string // "none", "plain", "scram-sha256", "scram-sha512"
	SASLUser, SASLPassword, SASLFile string // of the environment or the file
}

// Options declares the options. Their names begin with prefix, which ends with a dot. The
// other arguments are what is special about the help of brokers and topic.
func (k *Cluster) Options(prefix, brokers, topic string) []option.Option {
	add := func(name, def, shape string, v option.Value, help string) option.Option {
		return option.Option{Name: prefix + name, Group: Group, Default: def, Shape: shape, Value: v, Help: help}
	}
	inner := func(o option.Option, key string) option.Option { o.Inner = key; return o }
	mechanisms := []string{"none", "plain", "scram-sha256", "scram-sha512"}
	return []option.Option{
		add("brokers", "127.0.0.1:9092,[::1]:9092", "host:port,...", brokersValue(&k.Brokers), brokers),
		add("topic", DefaultTopic, "name", option.TextValue(&k.Topic), topic),
		add("version", DefaultVersion, "n.n.n", option.TextValue(&k.Version), "Oldest version of the cluster, 0.11.0 at least."),
		inner(add("tls", "false", "true|false", option.SwitchValue(&k.TLS), "Connect by TLS."), "enable"),
		add("tls.ca", "", "file", option.TextValue(&k.TLSCA), "Certificates of the authorities that sign the brokers', PEM. Empty for those of the system."),
		add("tls.client", "", "file", option.TextValue(&k.TLSClient), "Certificate to show to the brokers, PEM."),
		add("tls.key", "", "file", option.TextValue(&k.TLSKey), "Key of that certificate, PEM."),
		add("tls.insecure", "false", "true|false", option.SwitchValue(&k.TLSInsecure), "Do not verify the brokers' certificates."),
		inner(add("sasl", "none", strings.Join(mechanisms, "|"), option.ChoiceValue(&k.SASL, option.Choices{Allowed: mechanisms}),
			"How to authenticate. User and password come from the environment, KAFKA_SASL_USER and KAFKA_SASL_PASS, or from "+prefix+"sasl.file."), "mechanism"),
		add("sasl.file", "", "file", option.TextValue(&k.SASLFile), "File with the user in its first line and the password in its second."),
	}
}

// Secrets reads the user and the password of SASL, which are no options: on a command line
// every user of the host can read them. prefix is that of the options.
func (k *Cluster) Secrets(environ []string, prefix string) []output.Fault {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "KAFKA_SASL_USER="); ok {
			k.SASLUser = v
		}
		if v, ok := strings.CutPrefix(e, "KAFKA_SASL_PASS="); ok {
			k.SASLPassword = v
		}
	}
	fault := func(text, allowed string) []output.Fault {
		return []output.Fault{{Option: prefix + "sasl", Err: &option.Problem{Text: text, Allowed: allowed}}}
	}
	const allowed = "a file with the user and the password in two lines"
	if k.SASLFile != "" {
		text, err := os.ReadFile(k.SASLFile)
		if err != nil {
			var pathErr *os.PathError
			if errors.As(err, &pathErr) {
				err = pathErr.Err // without the name, which may be a password by mistake
			}
			return fault(fmt.Sprintf("cannot read the file: %v", err), allowed)
		}
		lines := strings.SplitN(strings.TrimRight(string(text), "\r\n"), "\n", 3)
		if len(lines) != 2 {
			return fault("not two lines", allowed)
		}
		k.SASLUser, k.SASLPassword = strings.TrimRight(lines[0], "\r"), strings.TrimRight(lines[1], "\r")
	}
	const both = "KAFKA_SASL_USER and KAFKA_SASL_PASS in the environment, or -"
	switch {
	case k.SASL == "none":
	case k.SASLUser == "":
		return fault("no user", both+prefix+"sasl.file")
	case k.SASLPassword == "":
		return fault("no password", both+prefix+"sasl.file")
	}
	return nil
}

// Config returns a configuration with what a connection to the cluster needs.
func (k *Cluster) Config() Config {
	return Config{
		Brokers: k.Brokers,
		Topic:   k.Topic,
		Version: k.Version,
		TLS:     TLS{Enable: k.TLS, CA: k.TLSCA, Cert: k.TLSClient, Key: k.TLSKey, Insecure: k.TLSInsecure},
		SASL:    SASL{Mechanism: k.SASL, User: k.SASLUser, Password: k.SASLPassword},
	}
}

// brokersValue is a list of host:port.
func brokersValue(p *[]string) option.Value {
	return option.ListValue(p, "host:port, such as kafka1:9092,kafka2:9092", func(list []string, i int) string {
		if host, port, err := net.SplitHostPort(list[i]); err != nil || host == "" || port == "" {
			return "not a broker's address"
		}
		return ""
	})
}
