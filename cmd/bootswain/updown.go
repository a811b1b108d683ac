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
	var detach bool
	c := volumeCommand("down NAME", "Take a volume down: unmount, close, stop",
		`Stop the database if it belongs to the volume NAME, then unmount, close and
stop the volume. It stays down until "up" or the next boot. With --ec2, EC2
detaches its volumes from the instance then.`, func(a *agent.Agent, ctx context.Context, name string) error {
			return a.Down(ctx, name, detach)
		})
	c.Flags().BoolVar(&detach, "ec2", false, "have EC2 detach the volumes, too")
	return c
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
