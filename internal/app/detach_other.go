//go:build !linux

package app

import "errors"

func detachLeft(string) (string, error) { return "", errors.ErrUnsupported }
