package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/IBM/sarama"

	"github.com/weirflow/weir/sink"
)

// Kinds of errors. There are no others.
const (
	KindConnection     = "connection"     // no connection, or it broke
	KindTimeout        = "timeout"        // no answer in time, from the broker or from its replicas
	KindDNS            = "dns"            // a name cannot be looked up
	KindTLS            = "tls"            // certificates or protocol
	KindAuthentication = "authentication" // user, password or mechanism
	KindAuthorization  = "authorization"  // the user may not
	KindTopic          = "topic"          // the topic is not there, or not usable
	KindLeader         = "leader"         // the partition's leader has moved, or there is none
	KindReplicas       = "replicas"       // too few replicas are in sync
	KindTooLarge       = "too_large"      // a message or set is larger than the broker takes
	KindSequence       = "sequence"       // the broker lost count of the sequence numbers
	KindRefused        = "refused"        // the broker will not take a message, for another reason
	KindBroker         = "broker"         // the broker has another problem, or breaks the protocol
)

// kinds fixes the order of the counters.
var kinds = [...]string{KindConnection, KindTimeout, KindDNS, KindTLS, KindAuthentication, KindAuthorization, KindTopic,
	KindLeader, KindReplicas, KindTooLarge, KindSequence, KindRefused, KindBroker}

// errSilent says that a broker took the connection and did not answer.
var errSilent = errors.New("broker does not answer")

// A fault is an error and its kind.
type fault struct {
	kind string
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// kindOf says what kind of error it is that a connection, a request for
// metadata or one for a producer id ended with.
func kindOf(err error) string {
	var (
		f       *fault
		code    sarama.KError
		dns     *net.DNSError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		record  tls.RecordHeaderError
		remote  *net.OpError
		neterr  net.Error
	)
	switch {
	case errors.As(err, &f):
		return f.kind
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed): // wrapped so that As does not find it
		return KindAuthentication
	case errors.As(err, &code):
		return kindOfCode(code)
	case errors.As(err, &dns):
		return KindDNS
	case errors.As(err, &verify), errors.As(err, &unknown), errors.As(err, &record):
		return KindTLS
	case errors.As(err, &remote) && remote.Op == "remote error":
		return KindTLS // an alert of crypto/tls
	case errors.Is(err, errSilent), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &neterr) && neterr.Timeout():
		return KindTimeout
	case errors.Is(err, errResponse), errors.Is(err, sarama.ErrUnsupportedVersion):
		return KindBroker
	}
	return KindConnection
}

func kindOfCode(code sarama.KError) string {
	switch code {
	case sarama.ErrSASLAuthenticationFailed, sarama.ErrUnsupportedSASLMechanism, sarama.ErrIllegalSASLState:
		return KindAuthentication
	case sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed:
		return KindAuthorization
	case sarama.ErrUnknownTopicOrPartition, sarama.ErrInvalidTopic:
		return KindTopic
	case sarama.ErrLeaderNotAvailable, sarama.ErrNotLeaderForPartition, sarama.ErrReplicaNotAvailable,
		sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch:
		return KindLeader
	case sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend:
		return KindReplicas
	case sarama.ErrRequestTimedOut:
		return KindTimeout
	case sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge:
		return KindTooLarge
	case sarama.ErrOutOfOrderSequenceNumber, sarama.ErrUnknownProducerID, sarama.ErrInvalidProducerEpoch,
		sarama.ErrProducerFenced, sarama.ErrInvalidProducerIDMapping:
		return KindSequence
	case sarama.ErrInvalidRecord, sarama.ErrInvalidTimestamp, sarama.ErrUnsupportedForMessageFormat,
		sarama.ErrUnsupportedCompressionType, sarama.ErrPolicyViolation:
		return KindRefused
	}
	return KindBroker
}

// A verdict says what to do with a set after a response.
type verdict int

const (
	taken     verdict = iota // written, now or before
	again                    // not written: send it again
	maybe                    // perhaps written: send it again under the same number
	needsHelp                // not written, and an operator has to act
	split                    // too large: in pieces
	refused                  // not written, and never will be
	lostPace                 // the broker does not know the number before
)

// judge turns a response's code for a partition into what to do. It is the
// one place that does.
//
// With acks all a broker appends a set to its own log, waits for the replicas,
// and may come to be the leader no more meanwhile, because leaders move or it is
// stopping: its answer then is the same as if it had not been the leader in the
// first place (Kafka's DelayedProduce). Only codes that it gives before it
// appends say for sure that nothing was written.
func judge(code sarama.KError, acks int16) verdict {
	switch code {
	case sarama.ErrNoError, sarama.ErrDuplicateSequenceNumber:
		return taken
	case sarama.ErrRequestTimedOut, sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrUnknown, sarama.ErrNetworkException:
		return maybe
	case sarama.ErrKafkaStorageError:
		return maybe
	}
	switch kindOfCode(code) {
	case KindAuthentication, KindAuthorization:
		return needsHelp
	case KindTooLarge:
		return split
	case KindSequence:
		return lostPace
	case KindRefused:
		return refused
	}
	if code == sarama.ErrInvalidTopic || code == sarama.ErrInvalidRequiredAcks || code == sarama.ErrUnsupportedVersion {
		return needsHelp
	}
	if acks == -1 && code != sarama.ErrNotEnoughReplicas {
		return maybe
	}
	return again
}

// stale says that the code is a reason to ask for metadata.
func stale(code sarama.KError) bool {
	k := kindOfCode(code)
	return k == KindLeader || k == KindTopic || k == KindBroker || code == sarama.ErrKafkaStorageError
}

// remark adds to an error what may be behind it: a broker closes connections
// that do not speak its listener's protocol without a word. Where one was once
// accepted it is something else.
func (s *settings) remark(err error) error {
	closed := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	if closed && !s.worked.Load() && kindOf(err) == KindConnection && (s.tls == nil || !s.sarama.Net.SASL.Enable) {
		return fmt.Errorf("%w (does the listener want tls or sasl?)", err)
	}
	return err
}

func isUnavailable(err error) bool { return err != nil && errors.Is(err, sink.ErrUnavailable) }

func unavailable(err error) error {
	return fmt.Errorf("deliver to kafka: %w: %w", sink.ErrUnavailable, err)
}

func refusal(err error) error {
	return fmt.Errorf("deliver to kafka: %w: %w", sink.ErrRefused, err)
}

// hint says what an operator may want to look at.
func hint(kind string) string {
	switch kind {
	case KindConnection, KindTimeout:
		return "is the broker up and is the address one of its listeners for this kind of connection?"
	case KindDNS:
		return "check the names of the brokers"
	case KindTLS:
		return "check the authority (tls.ca), the name in the broker's certificate and, if the broker asks for one, the client's certificate"
	case KindAuthentication:
		return "check user, password and mechanism"
	case KindAuthorization:
		return "the user needs the right to write to the topic and to describe it"
	case KindTopic:
		return "create the topic, or let the cluster create topics"
	case KindReplicas:
		return "fewer replicas are in sync than min.insync.replicas wants"
	case KindTooLarge:
		return "make maxmsgbytes smaller or the topic's max.message.bytes larger"
	}
	return ""
}
