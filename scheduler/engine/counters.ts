/** What the engine counts. Plain numbers, part of the snapshot. */
export class Counters {
  submitted = 0;
  accepted = 0;
  rejected = 0;
  replaced = 0;
  withdrawn = 0;
  refunded = 0;
  sealed = 0;
  sealedSlow = 0;
  committed = 0;
  reverted = 0;
  racesOpened = 0;
  racesDecided = 0;
  racesSlowed = 0;
  copiesLaunched = 0;
  speculativeCopies = 0;
  speculativeWins = 0;
  copiesCancelled = 0;
  copiesExpired = 0;
  proofsRejected = 0;
  /** Speculative copies that were wanted and not granted; and the same by the bucket that had too little. */
  budgetDenials = 0;
  budgetDenialsGlobal = 0;
  budgetDenialsClass = 0;
  budgetDenialsSender = 0;
  budgetDenialsCrowded = 0;
  staleResults = 0;
  depositsRefused = 0;
  bondsRefused = 0;
  challenges = 0;
  overturned = 0;
  /** Contradicting answers that their node turned out not to have signed. */
  suspicionsDismissed = 0;
  /** Events about something that is over. */
  lateEvents = 0;
  /** Events that say again what is known. */
  duplicateEvents = 0;
  /** Events about a copy from a node that it was not given to. */
  foreignEvents = 0;
  /** Machine-time from dispatch to answer or end, of all copies. */
  workUs = 0;
  speculativeWorkUs = 0;
}
