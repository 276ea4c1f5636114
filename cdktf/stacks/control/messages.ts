/** Pub/Sub: topics, one subscription for each relay process of each VM, and a place for what could not be delivered. */
import { PubsubSubscription } from '@cdktf/provider-google/lib/pubsub-subscription/index.js'
import { PubsubSubscriptionIamMember } from '@cdktf/provider-google/lib/pubsub-subscription-iam-member/index.js'
import { PubsubTopic } from '@cdktf/provider-google/lib/pubsub-topic/index.js'
import { PubsubTopicIamMember } from '@cdktf/provider-google/lib/pubsub-topic-iam-member/index.js'
import { Construct } from 'constructs'
import {
  deadLetters,
  delivery,
  subscriptionName,
  topicName,
} from '../../../functions/platform/pubsub-names.ts'
import { topics } from '../../../shared/control/names.ts'
import { agentOf, functionAccounts, relayAccount, slotsOf, vmsOf } from '../../names.ts'
import type { PorttunnelerStack } from '../porttunneler-stack.ts'
import type { Accounts } from './accounts.ts'

const publishers = [functionAccounts.api, functionAccounts.onJobs, functionAccounts.onSchedule]
/** Without a policy of its own a subscription that nobody reads for 31 days is deleted. */
const never = { ttl: '' }

export class Messages extends Construct {
  readonly events: PubsubTopic
  readonly jobs: PubsubTopic
  readonly #stack: PorttunnelerStack
  readonly #accounts: Accounts
  readonly #deadLetters: PubsubTopic

  constructor(stack: PorttunnelerStack, accounts: Accounts) {
    super(stack, 'messages')
    this.#stack = stack
    this.#accounts = accounts
    this.events = this.#topic(topics.events, [])
    this.jobs = this.#topic(topics.jobs, publishers)
    this.#deadLetters = this.#topic(deadLetters.topic, [])
    this.#keeper()
    this.#grantAgent(this.#deadLetters)
    for (const cell of stack.environment.cells) {
      const member = accounts.member(relayAccount(cell))
      new PubsubTopicIamMember(this, `events-${cell.id}`, {
        topic: this.events.name,
        role: 'roles/pubsub.publisher',
        member,
      })
      const commands = this.#topic(topics.commands(cell.id), publishers)
      for (const vm of vmsOf(cell))
        for (const slot of slotsOf(vm)) this.#slot(commands, topics.commands(cell.id), slot, member)
    }
  }

  #topic(topic: string, senders: readonly string[]): PubsubTopic {
    const made = new PubsubTopic(this, `topic-${topic}`, { name: topicName(topic) })
    for (const sender of senders)
      new PubsubTopicIamMember(this, `${topic}-${sender}`, {
        topic: made.name,
        role: 'roles/pubsub.publisher',
        member: this.#accounts.member(sender),
      })
    return made
  }

  /** Two readers of one subscription would each get a part of the commands. */
  #slot(topic: PubsubTopic, name: string, slot: string, member: string): void {
    const made = new PubsubSubscription(this, `slot-${slot}`, {
      name: subscriptionName(name, slot),
      topic: topic.id,
      ackDeadlineSeconds: delivery.ackDeadlineSeconds,
      messageRetentionDuration: `${delivery.retentionSeconds}s`,
      expirationPolicy: never,
      retryPolicy: { minimumBackoff: '0.1s', maximumBackoff: '60s' },
      deadLetterPolicy: {
        deadLetterTopic: this.#deadLetters.id,
        maxDeliveryAttempts: delivery.deliveriesMax,
      },
    })
    const grant = (who: string, whom: string) =>
      new PubsubSubscriptionIamMember(this, `${slot}-${who}`, {
        subscription: made.name,
        role: 'roles/pubsub.subscriber',
        member: whom,
      })
    grant('relay', member)
    // It takes a message out of here before it puts it among the dead.
    grant('agent', agentOf(this.#stack.environment, 'pubsub'))
  }

  #keeper(): void {
    new PubsubSubscription(this, 'keeper', {
      name: subscriptionName(deadLetters.topic, deadLetters.key),
      topic: this.#deadLetters.id,
      ackDeadlineSeconds: delivery.ackDeadlineSeconds,
      messageRetentionDuration: `${delivery.keeperRetentionSeconds}s`,
      expirationPolicy: never,
    })
  }

  #grantAgent(topic: PubsubTopic): void {
    new PubsubTopicIamMember(this, 'dead-letters-agent', {
      topic: topic.name,
      role: 'roles/pubsub.publisher',
      member: agentOf(this.#stack.environment, 'pubsub'),
    })
  }
}
