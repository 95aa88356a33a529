package kafka

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"

	"github.com/xdg-go/scram"
)

// scramClient is one SCRAM conversation (RFC 5802) in sarama's terms.
type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func (c *scramClient) Begin(user, password, authz string) error {
	client, err := c.hash.NewClient(user, password, authz)
	if err != nil {
		return fmt.Errorf("prepare scram: %w", err)
	}
	c.conversation = client.NewConversation()
	return nil
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }

func (c *scramClient) Done() bool { return c.conversation.Done() }

var (
	scram256 scram.HashGeneratorFcn = sha256.New
	scram512 scram.HashGeneratorFcn = sha512.New
)
