package main

import (
	"context"

	"github.com/spf13/cobra"

	"bootswain/agent"
)

func upCommand() *cobra.Command {
	return volumeCommand("up NAME", "Bring a volume up that was taken down",
		`Bring the volume NAME up again after "down", and start the database if it
belongs to this volume.`, (*agent.Agent).Up)
}

func downCommand() *cobra.Command {
	return volumeCommand("down NAME", "Take a volume down: unmount, close, stop",
		`Stop the database if it belongs to the volume NAME, then unmount, close and
stop the volume. It stays down until "up" or the next boot.`, (*agent.Agent).Down)
}

func volumeCommand(use, short, long string, do func(*agent.Agent, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := newAgent(c)
			if err != nil {
				return err
			}
			return do(a, c.Context(), args[0])
		},
	}
}
