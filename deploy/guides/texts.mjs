// What the steward's page says: a file for all languages, so that a sentence that is missing in one is seen.
// Words in `word` are those on the scanner's screen.

export const texts = {
  en: {
    title: 'At the gate',
    lead: 'Scan. Read the word. Do what it says. The scanner is ready for the next guest at once: nothing has to be pressed.',
    verdicts: [
      {
        picture: 'admit-en', tone: 'go', word: 'Enter', sound: 'one short tone',
        steps: ['Let the guest in.', 'The seat stands on the screen.'],
      },
      {
        picture: 'used-en', tone: 'used', word: 'Used', sound: 'two tones',
        steps: ['Somebody came in with this ticket before. The screen says where and when.', 'Ask the guest to step aside. Call a supervisor.'],
      },
      {
        picture: 'not-here-en', tone: 'stop', word: 'Not here · Too early · Fake', sound: 'one long, low tone',
        steps: ['Let nobody in.', 'Tell the guest what the screen says: another door, a later time, the box office.', 'Fake: call a supervisor.'],
      },
      {
        picture: 'locked-scan-en', tone: 'hold', word: 'Wait · Scan again · No answer', sound: 'three very short tones',
        steps: ['Nobody has decided, so nobody goes in.', 'Scan the same ticket again, or send the guest to another gate.'],
      },
    ],
    lineTitle: 'When the line is down',
    line: [
      {
        picture: 'degraded-en', word: 'On our own',
        steps: ['Go on scanning. The bar counts down to the lock.', 'Tickets sold in the last minutes are not known: “Not known” goes to the box office.', 'At 2 minutes, 1 minute and 30 seconds tell a supervisor.'],
      },
      {
        picture: 'locked-en', word: 'Locked',
        steps: ['Stop. Let nobody in by this scanner.', 'Keep the queue, tell people what happens.', 'Call the duty manager. Send people to an open gate.'],
      },
      {
        picture: 'no-node-en', word: 'No node',
        steps: ['The box of this gate does not answer.', 'Look at its cable and its light.', 'Call venue IT. It comes back by itself.'],
      },
    ],
    tipsTitle: 'Good to know',
    tips: [
      '“Can’t read”: wipe the code, make its screen bright, scan again.',
      'Screen broken or wet? Type the ten characters under the QR code, then Enter.',
      '“Checking” needs no second scan: one scan, one answer.',
      'A crossed bell: the sound is off. F9 puts it on.',
      'F3: the last ten scans. F4: everything else. F8: another gate.',
      'F6: you take over, with your PIN. Forgotten? Press “Sign in”.',
      'Violet frame: a drill. It lets nobody in.',
    ],
    callTitle: 'Call',
    calls: ['Supervisor', 'Duty manager', 'Venue IT', 'Box office'],
  },
  fr: {
    title: 'À la porte',
    lead: 'Scannez. Lisez le mot. Faites ce qu’il dit. Le scanner est prêt aussitôt pour la personne suivante : rien à appuyer.',
    verdicts: [
      {
        picture: 'admit-fr', tone: 'go', word: 'Entrez', sound: 'un son court',
        steps: ['Laissez entrer.', 'La place est écrite à l’écran.'],
      },
      {
        picture: 'used-fr', tone: 'used', word: 'Déjà entré', sound: 'deux sons',
        steps: ['Quelqu’un est déjà entré avec ce billet. L’écran dit où et quand.', 'Demandez d’attendre à côté. Appelez un superviseur.'],
      },
      {
        picture: 'not-here-fr', tone: 'stop', word: 'Pas ici · Trop tôt · Faux', sound: 'un son long et grave',
        steps: ['Ne laissez entrer personne.', 'Dites ce que l’écran dit : une autre porte, une autre heure, la billetterie.', 'Faux : appelez un superviseur.'],
      },
      {
        picture: 'locked-scan-fr', tone: 'hold', word: 'Attente · Relire · Sans réponse', sound: 'trois sons très courts',
        steps: ['Personne n’a décidé : personne n’entre.', 'Scannez encore le même billet, ou envoyez la personne à une autre porte.'],
      },
    ],
    lineTitle: 'Quand la ligne est coupée',
    line: [
      {
        picture: 'degraded-fr', word: 'Seuls',
        steps: ['Continuez à scanner. La barre compte jusqu’au blocage.', 'Les billets vendus à l’instant sont inconnus ici : envoyez « Inconnu » à la billetterie.', 'À 2 minutes, 1 minute et 30 secondes, prévenez un superviseur.'],
      },
      {
        picture: 'locked-fr', word: 'Bloqué',
        steps: ['Arrêtez. Personne n’entre par ce scanner.', 'Gardez la file, expliquez ce qui se passe.', 'Appelez le responsable. Envoyez le public à une porte ouverte.'],
      },
      {
        picture: 'no-node-fr', word: 'Sans nœud',
        steps: ['Le boîtier de cette porte ne répond pas.', 'Regardez son câble et son voyant.', 'Appelez la technique. Il revient de lui-même.'],
      },
    ],
    tipsTitle: 'Bon à savoir',
    tips: [
      '« Illisible » : essuyez le code, écran lumineux, scannez encore.',
      'Écran cassé ? Tapez les dix caractères, puis Entrée.',
      '« Un instant » : un scan suffit.',
      'Cloche barrée : son coupé, F9 le remet.',
      'F3 : derniers scans. F4 : tout le reste. F8 : porte.',
      'F6 : à vous, par votre PIN. Oublié ? « Connexion ».',
      'Cadre violet : un exercice. Personne n’entre par lui.',
    ],
    callTitle: 'Appeler',
    calls: ['Superviseur', 'Responsable', 'Technique', 'Billetterie'],
  },
};
